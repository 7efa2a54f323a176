/**
 * A dom0 that is none: simulated tools over one state, behind the same seam as the real one. It answers exactly the command lines that
 * guestflow uses and throws at any other. `test/contract` is the suite that it shares with the real dom0.
 *
 * Where it knowingly differs:
 * - Disks hold a model (whose file system, whose bytes besides), not bytes; every extent of a new volume is taken for a used one.
 * - One look at the start, the middle or the end of a disk sees whatever is left anywhere on it (stricter).
 * - e2fsck refuses the image of a running guest; the real one checks that only of devices (stricter).
 * - ssh-keygen and xl are atomic, and so are LVM's tools but lvcreate and lvremove: killed in the middle is killed after the effect.
 * - blkdiscard fails on a volume that is suspended; the real one waits for ever. A guest whose disk is suspended does not answer.
 * - A guest that is told to give memory or vcpus back, or to take more, has done so at once.
 * - A vif counts what a test says, and at the speed `watchable` a steady stream.
 * - No fsync, no page cache: what was written survives a power cut.
 * - A guest's console echoes what is typed, knows `echo`, and nobody logs in to it.
 * - The golden tarball, dumps and private keys are small texts of its own. A guest runs only the scripts that the steps send.
 */
import { lstatSync, mkdirSync, mkdtempSync, readdirSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AttachableHost } from '../system/host.ts';
import { isCfg, readCfg } from './cfg.ts';
import { attachFakeConsole } from './console.ts';
import { createDomain } from './domains.ts';
import { createFaultPlan, type FakeCall, type FaultPlan } from './faults.ts';
import { createFakeFiles } from './files.ts';
import { furnish } from './furnish.ts';
import { createWorkerLife, type WorkerLife } from './life.ts';
import { Machine, type MachineOptions } from './machine.ts';
import type { DomainState, FakeState } from './model.ts';
import { createFakeRunner } from './runner.ts';
import { takeSnapshot } from './snapshot.ts';

export { WorkerKilled, type Conditions, type FakeCall, type FaultKind, type FaultPlan, type FaultRule } from './faults.ts';
export type { DomainState, FakeState } from './model.ts';

export interface FakeDom0Options extends Partial<Omit<MachineOptions, 'network'>> {
  readonly network: MachineOptions['network'];
  /** Keep the state in the directory, so that the next process finds it. Default: at the speed `watchable`. */
  readonly persist?: boolean;
}

/** A worker process's way to the dom0. */
export interface FakeHost extends AttachableHost {
  /** As SIGKILL: from now on no call of this handle does anything. */
  kill(): void;
  readonly isDead: boolean;
}

export interface FakeDom0 {
  /**
   * A new handle, for one worker process.
   *
   * @param afterKill what calls of a killed handle do: reject with `WorkerKilled` (default), or never settle.
   */
  host(afterKill?: 'throw' | 'never'): FakeHost;
  readonly faults: FaultPlan;
  /** Everything on it, as data. */
  snapshot(): DomainState;
  /** The state itself, for tests that arrange things by hand. */
  readonly state: FakeState;
  readonly machine: Machine;
  readonly calls: readonly FakeCall[];
  /** Command lines that were refused because the fake does not know them. */
  readonly unknown: readonly string[];
  /** The dom0 loses its power and comes back: all workers, domains, loop devices and mounts are gone; then xendomains starts what /etc/xen/auto links to. */
  powerCut(): void;
  /** Kills all handles; removes the directory when it was the fake's own. */
  close(): void;
}

const DEFAULTS = {
  host: 'dom0',
  volumeGroup: 'vg01',
  volumeGroupBytes: 64 * 2 ** 30,
  memoryMiB: 16_384,
  cpus: 8,
  maxLoop: 0,
  reflink: false,
  speed: 'instant',
  kernel: 'mainline',
  bootPolls: 0,
  shutdownPolls: 0,
  seed: 1,
} as const;

/** Makes a fake dom0. Its files are below `directory`; default: a fresh one below the temporary directory. */
export function createFakeDom0({ persist, directory, ...options }: FakeDom0Options): Promise<FakeDom0> {
  const plan = createFaultPlan();
  const root = directory ?? mkdtempSync(join(tmpdir(), 'fake-dom0-'));
  mkdirSync(root, { recursive: true });
  const machine = new Machine({ ...DEFAULTS, ...options, directory: root }, plan);
  furnish(machine);
  const lives = new Set<WorkerLife>();
  const unknown: string[] = [];
  const isKept = persist ?? machine.options.speed === 'watchable';
  const keep = (): void => {
    if (isKept) machine.save();
  };
  const killAll = (): void => {
    for (const life of [...lives]) life.kill();
  };

  return Promise.resolve({
    host(afterKill = 'throw') {
      const life = createWorkerLife(afterKill, () => lives.delete(life));
      lives.add(life);
      return {
        ...createFakeRunner({ machine, plan, life, unknown, afterEach: keep }),
        files: createFakeFiles(machine, plan, life),
        attach: (tool, args) => attachFakeConsole({ machine, plan, life, unknown }, tool, args),
        kill: () => {
          life.kill();
        },
        get isDead() {
          return life.isDead;
        },
      };
    },
    faults: plan,
    snapshot: () => takeSnapshot(machine),
    state: machine.state,
    machine,
    calls: plan.calls,
    unknown,
    powerCut() {
      killAll();
      Object.assign(machine.state, { domains: [], loops: [], mounts: [] });
      // LVM activates all volumes when a dom0 comes up.
      for (const volume of machine.state.volumes) {
        delete volume.inactive;
        delete volume.suspended;
      }
      startLinked(machine);
      keep();
    },
    close() {
      killAll();
      keep();
      if (directory === undefined) rmSync(root, { recursive: true, force: true });
    },
  });
}

/** What xendomains does when a dom0 comes up. */
function startLinked(machine: Machine): void {
  const auto = '/etc/xen/auto';
  for (const link of readdirSync(machine.at(auto)).sort()) {
    const entry = `${auto}/${link}`;
    const path = lstatSync(machine.at(entry)).isSymbolicLink() ? readlinkSync(machine.at(entry)) : entry;
    const cfg = readCfg(machine, path);
    if (isCfg(cfg)) createDomain(machine, path, cfg);
  }
}
