import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { goodCfg } from '../../fixtures/xlu/arbitrary.ts';
import { settingsOf } from '../../../xlcfg/document.ts';
import { applyChange, bytesOf, byteString, CfgError, ChangeError, parseCfg, showCfg } from '../../../xlcfg/index.ts';
import type { CfgChange, CfgDocument } from '../../../xlcfg/index.ts';
import { plainOfSetting } from '../../../xlcfg/splice.ts';

const anything = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 20 }),
  fc.string({
    unit: fc.constantFrom('a', "'", '"', '\\', '\n', ',', '#', ';', '=', '[', ']', ' ', '\0', '\r', 'é', ':', '/', '1'),
    maxLength: 12,
  }),
);

function tryApply(text: string, change: unknown): string | undefined {
  try {
    return byteString(applyChange(parseCfg(bytesOf(text)), change as CfgChange).bytes);
  } catch (error) {
    if (error instanceof ChangeError || error instanceof CfgError) return undefined;
    throw error;
  }
}

function values(document: CfgDocument): Record<string, unknown> {
  return Object.fromEntries([...settingsOf(document)].map(([key, setting]) => [key, plainOfSetting(setting)]));
}

function isReadable(text: string): boolean {
  try {
    parseCfg(bytesOf(text));
    return true;
  } catch {
    return false;
  }
}

const readable = goodCfg.filter(isReadable);
const base =
  "name = 'guest1' # who\nkernel = '/k'\ndisk = [ 'phy:/dev/a,xvda,w', # root\n 'phy:/dev/b,xvdb,w' ]\nvif = [ 'mac=00:16:3e:00:00:01,bridge=xenbr0', 'bridge=b' ]\nextra = 'a=1 quiet'\nmemory = 512\n";
const change = fc.record(
  {
    set: fc.dictionary(
      fc.constantFrom('memory', 'name', 'a', 'extra', 'pool'),
      fc.oneof(fc.integer({ min: 1, max: 9999 }), fc.constantFrom("it's", '"', '\\', '#;', 'é'), fc.constant(null)),
      { maxKeys: 3 },
    ),
    extraWords: fc.uniqueArray(fc.constantFrom('quiet', 'clocksource=tsc', 'a=1', '7='), { maxLength: 3 }),
  },
  { requiredKeys: [] },
);

describe('whatever the file and the change', () => {
  test('any bytes are either read or refused with a place within the file', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        try {
          showCfg(parseCfg(bytes));
        } catch (error) {
          expect(error).toBeInstanceOf(CfgError);
          const { line, column } = error as CfgError;
          const lines = byteString(bytes).split('\n');
          expect(line).toBeLessThanOrEqual(lines.length);
          expect(column).toBeLessThanOrEqual((lines[line - 1] ?? '').length + 1);
        }
      }),
      { numRuns: 20000 },
    );
  });

  test('an empty change gives the same bytes', () => {
    fc.assert(
      fc.property(readable, (text) => {
        const isCrlf = parseCfg(bytesOf(text)).carriageReturn !== undefined;
        expect([undefined, isCrlf ? text.replaceAll('\r\n', '\n') : text]).toContain(tryApply(text, {}));
      }),
      { numRuns: 5000 },
    );
  });

  test('the same change twice is the change once', () => {
    fc.assert(
      fc.property(readable, change, (text, wanted) => {
        const once = tryApply(text, wanted);
        if (once !== undefined) expect(tryApply(once, wanted)).toBe(once);
      }),
      { numRuns: 15000 },
    );
  });

  test('only the keys named are changed, and comments stay', () => {
    fc.assert(
      fc.property(readable, change, (text, wanted) => {
        const after = tryApply(text, wanted);
        if (after === undefined) return;
        const touched = new Set([...Object.keys(wanted.set ?? {}), ...(wanted.extraWords ? ['extra'] : [])]);
        const kept = (all: Record<string, unknown>): [string, unknown][] => Object.entries(all).filter(([key]) => !touched.has(key));
        expect(kept(values(parseCfg(bytesOf(after))))).toEqual(kept(values(parseCfg(bytesOf(text)))));
        const notes = (all: string): number => all.split('# note').length;
        const isListGone = parseCfg(bytesOf(text)).statements.some(({ key, value }) => touched.has(key) && value.kind === 'list');
        if (!isListGone) expect(notes(after)).toBe(notes(text));
      }),
      { numRuns: 15000 },
    );
  });
});

describe('no value breaks out of its place: it is refused, or read back as given', () => {
  const before = values(parseCfg(bytesOf(base)));

  test('a string of set', () => {
    fc.assert(
      fc.property(anything, (name) => {
        const after = tryApply(base, { set: { name } });
        if (after === undefined) return;
        const document = parseCfg(bytesOf(after));
        expect(showCfg(document).keys['name']).toBe(name);
        expect({ ...values(document), name: '' }).toEqual({ ...before, name: '' });
      }),
      { numRuns: 20000 },
    );
  });

  test('a key of set', () => {
    fc.assert(
      fc.property(anything, (key) => {
        const after = tryApply(base, { set: { [key]: 1 } });
        if (after !== undefined)
          expect(Object.keys(values(parseCfg(bytesOf(after)))).filter((name) => !(name in before))).toEqual(key in before ? [] : [key]);
      }),
      { numRuns: 10000 },
    );
  });

  test('an entry of a list', () => {
    fc.assert(
      fc.property(fc.array(anything, { maxLength: 4 }), (list) => {
        const after = tryApply(base, { set: { bootloader_args: list } });
        if (after !== undefined) expect(showCfg(parseCfg(bytesOf(after))).keys['bootloader_args']).toEqual(list);
      }),
      { numRuns: 10000 },
    );
  });

  test('a target of a disk', () => {
    fc.assert(
      fc.property(anything, (path) => {
        const after = tryApply(base, { disk: [{ vdev: 'xvda', to: `phy:/${path}` }] });
        if (after === undefined) return;
        const { disks } = showCfg(parseCfg(bytesOf(after)));
        expect(disks.map(({ target, vdev, access, error }) => [target, vdev, access, error])).toEqual([
          [`/${path}`, 'xvda', 'rw', null],
          ['/dev/b', 'xvdb', 'rw', null],
        ]);
      }),
      { numRuns: 20000 },
    );
  });

  test.each(['mac', 'bridge', 'ip', 'model', 'script', 'vifname'] as const)('%s of a vif', (field) => {
    fc.assert(
      fc.property(anything, (value) => {
        const after = tryApply(base, { vif: [{ index: 1, [field]: value }] });
        if (after === undefined) return;
        const [first, second] = showCfg(parseCfg(bytesOf(after))).vifs;
        expect(first?.raw).toBe('mac=00:16:3e:00:00:01,bridge=xenbr0');
        expect({ ...second, raw: '', ...(field === 'ip' ? { ip: second?.ip.join(' ') } : {}) }).toMatchObject({
          bridge: 'b',
          [field]: value,
          faults: [],
        });
      }),
      { numRuns: 5000 },
    );
  });

  test('a word for the kernel', () => {
    fc.assert(
      fc.property(anything, (word) => {
        const after = tryApply(base, { extraWords: [word] });
        if (after !== undefined) expect(String(showCfg(parseCfg(bytesOf(after))).keys['extra']).split(' ')).toContain(word);
      }),
      { numRuns: 10000 },
    );
  });
});
