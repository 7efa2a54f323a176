/** Our cfg parser and editor against the real libxlutil, where it can be compiled: on the fixtures and on generated files. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { anyCfg, diskSpec, goodCfg } from '../fixtures/xlu/arbitrary.ts';
import { buildOracle, whyNoOracle } from '../fixtures/xlu/oracle.ts';
import type { Oracle, XluReading } from '../fixtures/xlu/oracle.ts';
import { settingsOf } from '../../xlcfg/document.ts';
import { applyChange, bytesOf, CfgError, parseCfg, parseDiskSpec } from '../../xlcfg/index.ts';
import type { CfgChange, CfgDocument } from '../../xlcfg/index.ts';
import { plainOfSetting } from '../../xlcfg/splice.ts';
import { parseVifSpec } from '../../xlcfg/vif-spec.ts';

const missing = whyNoOracle();
const fixtures = join(import.meta.dirname, '../fixtures/cfg');
const FILES = 3000;

function read(text: string): { document?: CfgDocument; keys?: Record<string, unknown>; error?: string } {
  try {
    const document = parseCfg(bytesOf(text));
    return { document, keys: Object.fromEntries([...settingsOf(document)].map(([key, setting]) => [key, plainOfSetting(setting)])) };
  } catch (error) {
    if (error instanceof CfgError) return { error: error.message };
    throw error;
  }
}

describe.skipIf(missing !== undefined)(`the real libxlutil agrees${missing === undefined ? '' : ` (not run: ${missing})`}`, () => {
  let oracle: Oracle;
  let folder: string;
  beforeAll(() => {
    oracle = buildOracle();
    folder = mkdtempSync(join(tmpdir(), 'xlcfg-oracle-'));
  }, 60_000);
  afterAll(() => {
    oracle.dispose();
    rmSync(folder, { recursive: true, force: true });
  });

  function readByXl(texts: readonly string[]): XluReading[] {
    const files = texts.map((text, index) => {
      const file = join(folder, `${index}.cfg`);
      writeFileSync(file, bytesOf(text));
      return file;
    });
    return oracle.readCfgs(files);
  }

  function compare(texts: readonly string[]): { accepted: number; refused: number } {
    let accepted = 0;
    for (const [index, reading] of readByXl(texts).entries()) {
      const text = texts[index] ?? '';
      const ours = read(text);
      const shown = JSON.stringify(text);
      // Two differences on purpose: we read CRLF and say that xl refuses it; and xl overlooks one stray byte at the very end.
      if (ours.document?.carriageReturn) expect(reading.ok, shown).toBe(false);
      else if (reading.ok && ours.error !== undefined) expect(read(text.slice(0, -1)).keys, shown).toEqual({ ...reading.keys });
      else expect(ours.keys, `${shown} ${ours.error ?? ''}`).toEqual(reading.ok ? { ...reading.keys } : undefined);
      if (reading.ok) accepted += 1;
    }
    return { accepted, refused: texts.length - accepted };
  }

  test('on every fixture, as recorded', () => {
    const names = readdirSync(fixtures).filter((name) => name.endsWith('.cfg'));
    const readings = oracle.readCfgs(
      names.map((name) => join(fixtures, name)),
      { disks: true },
    );
    for (const [index, name] of names.entries()) {
      const recorded: unknown = JSON.parse(readFileSync(join(fixtures, name.replace(/\.cfg$/, '.xlu.json')), 'utf8'));
      expect(JSON.parse(JSON.stringify(readings[index])), name).toEqual(recorded);
    }
  });

  test('on generated files that are mostly good', () => {
    const { accepted } = compare(fc.sample(goodCfg, FILES));
    expect(accepted).toBeGreaterThan(FILES / 10);
  }, 120_000);

  test('on generated files that are mostly bad', () => {
    const { refused } = compare(fc.sample(anyCfg, FILES));
    expect(refused).toBeGreaterThan(FILES / 10);
  }, 120_000);

  test('on generated disk specifications', () => {
    // Xen 4.17 takes these words as positional; we read them as 4.20 does.
    const [knowsTrusted] = oracle.readDisks(['/dev/a,raw,xvda,w,trusted']);
    const specs = fc.sample(diskSpec, FILES).filter((spec) => knowsTrusted?.ok === true || !/trusted|grant_usage/.test(spec));
    for (const [index, reading] of oracle.readDisks(specs).entries()) {
      const spec = specs[index] ?? '';
      const { disk } = parseDiskSpec(spec);
      if (reading.ok) expect({ spec, ...disk, prefix: undefined }).toEqual({ spec, error: null, ...reading.disk });
      else expect(disk.error, `${spec}: xl says ${reading.message}`).not.toBeNull();
    }
  }, 120_000);

  test('on the rates of vifs', () => {
    const number = fc.oneof(
      fc.constantFrom('0', '1', '7', '08', '010', '4294', '4295', '4294967295', '4294967296', '18446744073', '99999999999999999999999'),
      fc.nat(1_000_000).map(String),
    );
    const rate = fc
      .tuple(
        number,
        fc.constantFrom('', 'K', 'M', 'G', 'k', 'm'),
        fc.constantFrom('b', 'B', 'bit'),
        fc.constantFrom('/s', '/s', '/s', 'ps', '/s '),
      )
      .chain(([count, unit, size, per]) =>
        fc
          .option(fc.tuple(number, fc.constantFrom('', 's', 'ms', 'us', 'm', 'u', 'S')))
          .map((every) => `${count}${unit}${size}${per}${every === null ? '' : `@${every.join('')}`}`),
      );
    const rates = fc.sample(rate, FILES);
    for (const [index, isRate] of oracle.readRates(rates).entries()) {
      const { faults } = parseVifSpec(`rate=${rates[index] ?? ''}`);
      expect([rates[index], faults.every(({ effect }) => effect !== 'refused')]).toEqual([rates[index], isRate]);
    }
  });

  test('on edited files: what was set is what xl reads, and all else is as before', () => {
    const change: CfgChange = {
      set: { memory: 777, name: `o'brien "x" \\`, disk: ['phy:/dev/a,xvda,w'], vif: [] },
      extraWords: ['clocksource=jiffies'],
    };
    const texts = fc.sample(goodCfg, FILES).filter((text) => read(text).keys !== undefined);
    const edited: { before: string; after: string }[] = [];
    for (const before of texts) {
      try {
        const { bytes } = applyChange(parseCfg(bytesOf(before)), change);
        edited.push({ before, after: Buffer.from(bytes).toString('latin1') });
      } catch (error) {
        expect(String(error), JSON.stringify(before)).toMatch(/extraWords: extra (is a list|has a double quote)/);
      }
    }
    expect(edited.length).toBeGreaterThan(FILES / 20);
    for (const [index, reading] of readByXl(edited.map(({ after }) => after)).entries()) {
      const { before = '', after = '' } = edited[index] ?? {};
      if (!reading.ok) throw new Error(`xl refuses ${JSON.stringify(after)}: ${reading.message}`);
      const { extra, ...others } = reading.keys;
      const kept = { ...read(before).keys, extra: undefined };
      expect({ ...others, memory: Number(others['memory']) }, JSON.stringify({ before, after })).toEqual({
        ...kept,
        memory: 777,
        name: `o'brien "x" \\`,
        disk: ['phy:/dev/a,xvda,w'],
        vif: [],
      });
      expect(String(extra).split(/\s+/), after).toContain('clocksource=jiffies');
    }
  }, 120_000);
});
