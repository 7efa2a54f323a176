/** Saved states that their guests have outlived: what the dom0's watch does with them, killed or failing at each call of it, and beside others. */
import { readdirSync, readFileSync, rmSync, statSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { cfgHeader } from '../../activities/dom0/marks.ts';
import { GuestLocks } from '../../activities/dom0/locks.ts';
import { putStaleAside } from '../../activities/dom0/toolstack/xl/stale-states.ts';
import type { FakeCall, FaultKind } from '../../fake/index.ts';
import { saveFile } from '../fixtures/saved-state.ts';
import type { Case } from './case.ts';
import { at } from './interruptions.ts';
import type { Complaints } from './invariants.ts';
import { faultsOf, nameOf, strike } from './step-faults.ts';
import { World } from './world.ts';

const SAVE = '/var/lib/xen/save';
const ASIDE = `${SAVE}/.guestflow/stale1`;
const SAVED_AT = Date.parse('2026-01-05T10:00:00Z');
const NEVER = new AbortController().signal;

/** A guest of ours that was started a minute after its memory was saved, which was done twice. */
async function arrange(world: World): Promise<void> {
  const { files } = world.dom0.host();
  await files.makeDirectory('/etc/xen/auto');
  await files.makeDirectory(SAVE, 0o700);
  await files.writeAtomic('/etc/xen/stale1.cfg', `${cfgHeader({ guest: 'stale1', order: 'o1' })}\nname = "stale1"\n`);
  for (const [index, name] of ['stale1', 'stale1.older'].entries()) {
    await files.writeAtomic(`${SAVE}/${name}`, saveFile('stale1'));
    const seconds = SAVED_AT / 1000 - index;
    utimesSync(world.dom0.machine.at(`${SAVE}/${name}`), seconds, seconds);
  }
  const fixed = { memoryMiB: 256, vcpus: 1, kernel: '', onCrash: 'restart', looksLeft: 0, booted: true, disks: [], bridges: [] };
  const own = { name: 'stale1', id: 1, cfgPath: '/etc/xen/stale1.cfg', state: 'running' as const, startedAt: SAVED_AT + 60_000 };
  world.dom0.state.domains.push({ ...fixed, ...own, liveSysctl: {} });
  world.dom0.faults.restart();
}

/** Each file below the directory of saved states, with its size. */
function filesOf(world: World): string[] {
  const root = world.dom0.machine.at(SAVE);
  const walk = (directory: string): string[] =>
    readdirSync(directory, { withFileTypes: true }).flatMap((entry) => {
      const path = join(directory, entry.name);
      return entry.isDirectory() ? walk(path) : [`${path.slice(root.length + 1)} ${String(statSync(path).size)}`];
    });
  return walk(root).sort();
}

/** Once, in a worker of its own. */
async function put(world: World, locks = new GuestLocks()): Promise<Complaints> {
  const alone = async (guest: string, work: () => Promise<void>): Promise<void> => locks.hold(guest, 'saved states', NEVER, work);
  try {
    await putStaleAside(world.dom0.host(), { settleMs: 0, signal: NEVER, alone });
    return [];
  } catch (error) {
    return [error instanceof Error ? error.message : String(error)];
  }
}

function unlike(world: World, wanted: readonly string[]): Complaints {
  const now = filesOf(world);
  return JSON.stringify(now) === JSON.stringify(wanted) ? [] : [`there is ${now.join(', ')}, and should be ${wanted.join(', ')}`];
}

function staleCase(name: string, act: (world: World) => Promise<Complaints>): Case {
  return {
    name: `stale states/${name}`,
    async run() {
      const world = await World.create('stale');
      try {
        await arrange(world);
        return { end: 'as ordered', complaints: [...(await act(world)), ...world.dom0.unknown] };
      } finally {
        world.close();
      }
    },
  };
}

/** A fault at a call; then the watch looks again, twice: the second look changes nothing. */
function faultCase(call: FakeCall, kind: FaultKind, wanted: readonly string[]): Case {
  return staleCase(`${nameOf(call)}/${kind}`, async (world) => {
    strike(world, call, kind);
    await put(world);
    const notFired = world.dom0.faults.fired.length > 0 ? [] : ['the fault did not happen'];
    world.dom0.faults.restart();
    return [...notFired, ...(await put(world)), ...unlike(world, wanted), ...(await put(world)), ...unlike(world, wanted)];
  });
}

/** xendomains removes the files of a restore that has ended, or the guest goes, at a call. No state comes back, and nothing fails. */
function vanishCase(call: FakeCall): Case {
  return staleCase(`${nameOf(call)}/the file goes`, async (world) => {
    at(world, call, () => {
      for (const name of ['stale1', 'stale1.older']) rmSync(world.dom0.machine.at(`${SAVE}/${name}`), { force: true });
    });
    const failed = await put(world);
    const seen = filesOf(world).filter((line) => !line.startsWith('.guestflow/'));
    return [...failed, ...seen.map((line) => `${line} is there`)];
  });
}

/** What must stay where it is. */
const UNTOUCHED: Readonly<Record<string, (world: World) => Promise<void>>> = {
  async 'a restore is under way'({ dom0 }) {
    for (const domain of dom0.state.domains) domain.state = 'paused';
    return Promise.resolve();
  },
  async 'the guest of that name is another’s'({ dom0 }) {
    await dom0.host().files.writeAtomic('/etc/xen/stale1.cfg', '# by hand\nname = "stale1"\n');
  },
  async 'its guest has gone'({ dom0 }) {
    dom0.state.domains = [];
    await dom0.host().files.remove('/etc/xen/stale1.cfg');
  },
  async 'another order has put its own aside under that name'({ dom0 }) {
    const { files } = dom0.host();
    await files.makeDirectory(ASIDE, 0o700);
    await files.writeAtomic(`${ASIDE}/guestflow.json`, JSON.stringify({ guest: 'stale1', order: 'o2' }));
    await files.writeAtomic(`${ASIDE}/1.stale1`, 'memory of another');
  },
};

function untouchedCase(name: string, change: (world: World) => Promise<void>): Case {
  return staleCase(name, async (world) => {
    await change(world);
    world.dom0.faults.restart();
    const before = filesOf(world);
    await put(world);
    return unlike(world, before);
  });
}

/** A step works on the guest: it is waited for, and what it has done is seen. */
function stepCase(name: string, step: (world: World) => Promise<void>, wanted: (before: readonly string[]) => readonly string[]): Case {
  return staleCase(`a step works on that guest/${name}`, async (world) => {
    const locks = new GuestLocks();
    const before = filesOf(world);
    let end = (): void => undefined;
    const isOver = new Promise<void>((resolve) => (end = resolve));
    const working = locks.hold('stale1', 'a step', NEVER, () => isOver.then(() => step(world)));
    const putting = put(world, locks);
    for (let look = 0; look < 20; look += 1) await new Promise((resolve) => setImmediate(resolve));
    const early = unlike(world, before);
    end();
    await working;
    return [...early, ...(await putting), ...unlike(world, wanted(before))];
  });
}

/** All of them. */
export async function staleCases(): Promise<Case[]> {
  const world = await World.create('stale');
  await arrange(world);
  const [before, first] = [filesOf(world), world.dom0.calls.length];
  const failed = await put(world);
  const [calls, wanted] = [world.dom0.calls.slice(first), filesOf(world)];
  const marker = readFileSync(world.dom0.machine.at(`${ASIDE}/guestflow.json`), 'utf8');
  world.close();
  const newest = [
    before[0]?.replace('stale1', `.guestflow/stale1/${String(SAVED_AT)}.stale1`),
    `.guestflow/stale1/guestflow.json ${String(marker.length)}`,
  ];
  const whole = [...failed, ...(JSON.stringify(wanted) === JSON.stringify(newest) ? [] : [`kept is ${wanted.join(', ')}, not the newest`])];
  return [
    {
      name: 'stale states/the newest is kept, with its mark',
      run: () => Promise.resolve({ end: 'as ordered' as const, complaints: whole }),
    },
    ...calls.flatMap((call) => [
      ...faultsOf(call)
        .filter((kind) => !kind.startsWith('hang'))
        .map((kind) => faultCase(call, kind, wanted)),
      vanishCase(call),
    ]),
    ...Object.entries(UNTOUCHED).map(([name, change]) => untouchedCase(name, change)),
    stepCase(
      'that changes nothing',
      () => Promise.resolve(),
      () => wanted,
    ),
    stepCase(
      'that pauses it',
      ({ dom0 }) => {
        for (const domain of dom0.state.domains) domain.state = 'paused';
        return Promise.resolve();
      },
      (was) => was,
    ),
  ];
}
