/** Saved states that their guests have outlived are put aside by the dom0's watch, and no others; on the fake dom0. */
import { utimesSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { savedStates } from '../../../activities/dom0/toolstack/xl/xendomains.ts';
import { domainStart } from '../../../activities/dom0/toolstack/xl/xenstore.ts';
import { cfgHeader } from '../../../activities/dom0/marks.ts';
import { putStaleAside } from '../../../activities/dom0/toolstack/xl/stale-states.ts';
import { GuestLocks } from '../../../activities/dom0/locks.ts';
import { createFakeDom0, type FakeDom0, type FakeHost } from '../../../fake/index.ts';
import { watchDomains } from '../../../worker/watch.ts';
import { saveFile } from '../../fixtures/saved-state.ts';

const NETWORK = { cidr: '192.0.2.0/24', gateway: '192.0.2.1', bridge: 'xenbr0' };
const SAVE = '/var/lib/xen/save';
const SAVED_AT = Date.parse('2026-01-05T10:00:00Z');
const MINUTE_MS = 60_000;

let dom0: FakeDom0;
let host: FakeHost;
beforeEach(async () => {
  dom0 = await createFakeDom0({ network: NETWORK });
  host = dom0.host();
  await host.files.makeDirectory('/etc/xen/auto');
  await host.files.makeDirectory(SAVE, 0o700);
});
afterEach(() => {
  dom0.close();
});

interface Arranged {
  readonly isLinked?: boolean;
  readonly isOurs?: boolean;
  /** Of its domain, in milliseconds after its state was saved; undefined: it is off. */
  readonly startedAfterMs?: number;
  readonly state?: 'running' | 'paused';
}

/** A guest with a saved state. */
async function guest(name: string, { isLinked = true, isOurs = true, startedAfterMs, state = 'running' }: Arranged): Promise<void> {
  const cfgPath = `/etc/xen/${name}.cfg`;
  await host.files.writeAtomic(cfgPath, `${isOurs ? cfgHeader({ guest: name, order: `o-${name}` }) : '# by hand'}\nname = "${name}"\n`);
  if (isLinked) await host.files.symlink(cfgPath, `/etc/xen/auto/${name}.cfg`);
  await host.files.writeAtomic(`${SAVE}/${name}`, saveFile(name));
  utimesSync(dom0.machine.at(`${SAVE}/${name}`), SAVED_AT / 1000, SAVED_AT / 1000);
  if (startedAfterMs === undefined) return;
  const fixed = { memoryMiB: 256, vcpus: 1, kernel: '', onCrash: 'restart', looksLeft: 0, booted: true } as const;
  const own = { name, id: dom0.state.domains.length + 1, cfgPath, state, startedAt: SAVED_AT + startedAfterMs };
  dom0.state.domains.push({ ...fixed, ...own, disks: [], bridges: [], liveSysctl: {} });
}

const left = async (): Promise<string[]> => (await savedStates(host)).map(({ path }) => path);
const alone = (_guest: string, work: () => Promise<void>): Promise<void> => work();
const put = (settleMs = 0): Promise<string[]> => putStaleAside(host, { settleMs, signal: new AbortController().signal, alone });

describe('a saved state', () => {
  it('is stale once its guest was started after it: it is put aside, with its guest’s mark', async () => {
    await guest('web1', { startedAfterMs: MINUTE_MS });
    expect(await put()).toEqual([`${SAVE}/web1`]);
    expect(await left()).toEqual([]);
    expect(await host.files.list(`${SAVE}/.guestflow/web1`)).toEqual(
      expect.arrayContaining([`${String(SAVED_AT)}.web1`, 'guestflow.json']),
    );
    expect(await put()).toEqual([]);
  });

  it('is stale when its guest is off and does not start with its dom0: it would bring a suspended guest back', async () => {
    await guest('web1', { isLinked: false });
    expect(await put()).toEqual([`${SAVE}/web1`]);
  });

  it.each<[string, Arranged]>([
    ['a guest that is being saved just now', { startedAfterMs: -MINUTE_MS }],
    ['a guest that is being restored: its domain stands still until then', { startedAfterMs: MINUTE_MS, state: 'paused' }],
    ['a guest that is to run, and is off: its start puts it aside', {}],
    ['a guest that is not ours', { startedAfterMs: MINUTE_MS, isOurs: false }],
    ['a guest that is off, and not ours', { isLinked: false, isOurs: false }],
  ])('is left where it is, of %s', async (_what, arranged) => {
    await guest('web1', arranged);
    expect(await put()).toEqual([]);
    expect(await left()).toEqual([`${SAVE}/web1`]);
  });

  it('is left where it is when the domain does not say since when it runs', async () => {
    await guest('web1', { startedAfterMs: MINUTE_MS });
    const silent: FakeHost = {
      ...host,
      run: (tool, args, options) => (tool === 'xenstore-read' ? host.run(tool, ['/nothing'], options) : host.run(tool, args, options)),
    };
    expect(await domainStart(silent, 1)).toBeUndefined();
    expect(await putStaleAside(silent, { settleMs: 0, signal: new AbortController().signal, alone })).toEqual([]);
  });

  it('that xendomains removes a moment later, since its restore has just ended, was none; one of another guest is put aside', async () => {
    await guest('web1', { startedAfterMs: MINUTE_MS });
    await guest('web2', { startedAfterMs: MINUTE_MS });
    const working = put(200);
    await host.files.remove(`${SAVE}/web1`);
    expect(await working).toEqual([`${SAVE}/web2`]);
    expect(await host.files.info(`${SAVE}/.guestflow/web1`)).toBeUndefined();
  });
});

describe('the watch of a dom0', () => {
  /** Watches until it has said something, or so long. */
  async function watched(more: object = {}, ms = 2_000): Promise<string[]> {
    const stop = new AbortController();
    const said: string[] = [];
    const log = {
      info: () => undefined,
      warn: (_fields: object, message: string) => {
        if (message.includes('xenstore cannot be watched')) return;
        said.push(message);
        stop.abort();
      },
    };
    setTimeout(() => {
      stop.abort();
    }, ms).unref();
    const client = { workflow: { getHandle: () => ({ signal: () => Promise.resolve() }) } } as unknown as Parameters<
      typeof watchDomains
    >[0]['client'];
    await watchDomains({ client, host, log, signal: stop.signal, settleMs: 0, lookAgainMs: 10, ...more });
    return said;
  }

  it('puts a stale state aside when it begins, and says so', async () => {
    await guest('web1', { startedAfterMs: MINUTE_MS });
    expect(await watched()).toEqual([expect.stringContaining(`${SAVE}/web1 held the memory of a guest from before`)]);
    expect(await left()).toEqual([]);
  });

  it('waits for the step that works on that guest', async () => {
    await guest('web1', { startedAfterMs: MINUTE_MS });
    const locks = new GuestLocks();
    let end = (): void => undefined;
    const step = locks.hold('web1', 'a step', new AbortController().signal, () => new Promise<void>((resolve) => (end = resolve)));
    const watching = watched({ locks });
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(await left()).toEqual([`${SAVE}/web1`]);
    end();
    await step;
    await watching;
    expect(await left()).toEqual([]);
  });

  it('touches nothing where this machine may not act as the dom0', async () => {
    await guest('web1', { startedAfterMs: MINUTE_MS });
    const said = await watched({ mayAct: () => Promise.reject(new Error('another machine is this dom0')) });
    expect(said).toEqual(['could not look for saved states that are stale']);
    expect(await left()).toEqual([`${SAVE}/web1`]);
  });
});
