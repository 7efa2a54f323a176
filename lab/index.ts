/** The lab: a real Xen dom0 in QEMU, built once, cached, and started in seconds. */
import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { createRunner } from '../system/run.ts';
import { stopServer } from '../system/run-server.ts';
import { removeTree } from './artifact.ts';
import { explain, LabError } from './errors.ts';
import { labHandle, type Lab } from './lab.ts';
import { layoutOf, type LabPlace, type Layout } from './layout.ts';
import { withMachineLock } from '../system/machine-lock.ts';
import type { Accel } from './machine.ts';
import { createProgress, type LabProgress } from './progress.ts';
import { findMachine, readRecord, writeRecord } from './record.ts';
import type { Release } from './releases.ts';
import { labRequirements } from './requirements.ts';
import { dropLogin } from './ssh.ts';
import { saveInPlace } from './states.ts';
import { installTools } from './tools.ts';
import { bringUp, kindFor } from './up.ts';
import { beginPackage } from './up-context.ts';

export { LabError, type LabFailure } from './errors.ts';
export type { Lab, LabOrigin } from './lab.ts';
export type { LabPlace } from './layout.ts';
export type { LabProgress } from './progress.ts';
export { DEFAULT_RELEASE, labKind, RELEASES, releaseNamed, type Release } from './releases.ts';
export { labRequirements, type Problem } from './requirements.ts';

/** How a lab is brought up. */
export interface LabOptions extends LabPlace {
  /** Debian release of the dom0. Default: that of the lab that is there, or bookworm. */
  readonly release?: Release | undefined;
  /** Distributions of guests whose golden tarballs the dom0 carries. Default: bookworm and the dom0's release. */
  readonly dists?: readonly Release[] | undefined;
  /** `tcg`: software emulation, works everywhere. `kvm`: for machines whose /dev/kvm can run Xen. Default: `tcg`. */
  readonly accel?: Accel;
  /** Port of the Temporal server on this machine's loopback: all that dom0 can reach. */
  readonly temporalPort: number;
  /** Makes the dom0 worker's Debian package and returns its path. It is called at once and awaited late, so that the package is made while dom0 starts. Default: no worker. */
  readonly packageFile?: (() => Promise<string>) | undefined;
  /** Keep the machine's disks (and, over `labDown`, its memory) for the next `labUp`. Default: false. */
  readonly keep?: boolean;
  /** Name the dom0 worker works under. Default: the lab's name. */
  readonly dom0Name?: string | undefined;
  readonly onProgress?: ((event: LabProgress) => void) | undefined;
  /** Ends what was begun and leaves nothing half-made. */
  readonly signal?: AbortSignal | undefined;
}

/** What is known of a lab. */
export interface LabStatus {
  readonly name: string;
  /** `kept`: it does not run, but its machine is kept. */
  readonly state: 'running' | 'kept' | 'absent';
  /** Debian release of its dom0. */
  readonly release?: Release;
  /** Distributions of guests that its dom0 can make. */
  readonly dists?: readonly Release[];
  readonly pid?: number;
  readonly sshPort?: number;
  readonly sshConfigFile?: string;
  readonly dom0Name?: string;
  readonly temporalPort?: number;
  readonly keep?: boolean;
  /** Its memory is saved: it resumes in seconds. */
  readonly saved?: boolean;
  readonly packageSha256?: string;
  readonly startedAt?: string;
}

const NOT_RUNNING = 'the lab is not running: start it with `guestflow lab up`';

async function locked<T>(
  layout: Layout,
  work: () => Promise<T>,
  signal?: AbortSignal,
  onProgress?: (event: LabProgress) => void,
): Promise<T> {
  const onWait = (): void => {
    onProgress?.({ stage: 'build', message: `another command is at work on lab "${layout.name}": waiting for it` });
  };
  return await withMachineLock(`lab/${layout.home}`, work, { signal, onWait });
}

/**
 * Brings a lab up by the shortest way there is. If the lab runs, it attaches to it.
 *
 * @throws LabError with a message for the person at the terminal; nothing half-made is left.
 */
export async function labUp(options: LabOptions): Promise<Lab> {
  const layout = layoutOf(options);
  const dom0Name = options.dom0Name ?? layout.name;
  if (!/^[a-z0-9][a-z0-9.-]{0,62}$/.test(dom0Name)) throw new LabError('bad-input', `"${dom0Name}" is no name for a dom0`);
  const { signal } = options;
  const progress = createProgress(options.onProgress);
  const runner = createRunner();
  try {
    return await locked(
      layout,
      async () => {
        const kind = await kindFor(layout, options);
        if (findMachine(layout) === undefined) {
          const { problems } = await labRequirements(options, kind);
          if (problems.length > 0)
            throw new LabError(
              'requirements',
              `the lab cannot run here:\n${problems.map(({ what, why, mend }) => `- ${what}: ${why}. ${mend}`).join('\n')}`,
            );
          await installTools(runner, progress, signal);
        }
        signal?.throwIfAborted();
        return await bringUp({
          runner,
          layout,
          progress,
          kind,
          dom0Name,
          signal,
          accel: options.accel ?? 'tcg',
          temporalPort: options.temporalPort,
          keep: options.keep ?? false,
          workerPackage: beginPackage(options.packageFile),
        });
      },
      signal,
      options.onProgress,
    );
  } catch (error) {
    throw explain('starting the lab', layout.home, error, signal);
  }
}

/** The running lab. Throws `LabError` (`not-running`) when there is none. */
export async function labAttach(place: LabPlace): Promise<Lab> {
  const layout = layoutOf(place);
  const record = await readRecord(layout);
  if (record === undefined || findMachine(layout) === undefined) throw new LabError('not-running', NOT_RUNNING);
  return labHandle(createRunner(), layout, record, 'attached');
}

/** What is known of a lab; changes nothing. */
export async function labStatus(place: LabPlace): Promise<LabStatus> {
  const layout = layoutOf(place);
  const record = await readRecord(layout);
  const machine = findMachine(layout);
  if (record === undefined) return { name: layout.name, state: 'absent' };
  const { release, dists, sshPort, dom0Name, temporalPort, keep, packageSha256, startedAt } = record;
  const facts = {
    name: layout.name,
    release,
    dists,
    sshPort,
    sshConfigFile: layout.sshConfig,
    dom0Name,
    temporalPort,
    keep,
    startedAt,
    ...(packageSha256 === undefined ? {} : { packageSha256 }),
  };
  if (machine !== undefined) return { ...facts, state: 'running', pid: machine.pid };
  return existsSync(layout.rootDisk)
    ? { ...facts, state: 'kept', saved: existsSync(layout.memory) }
    : { name: layout.name, state: 'absent' };
}

async function takeDown(layout: Layout, save: boolean): Promise<void> {
  const runner = createRunner();
  const machine = findMachine(layout);
  const record = await readRecord(layout);
  if (machine !== undefined) {
    await dropLogin(runner, layout);
    if (save && record !== undefined) {
      await saveInPlace(layout);
      await writeRecord(layout, { ...record, keep: true, saved: true });
    }
    await stopServer(machine);
  }
  await removeTree(runner, layout.run);
  if (save || (machine === undefined && record?.keep === true)) return;
  for (const file of [layout.rootDisk, layout.volumeDisk, layout.memory, layout.parcel, layout.record]) await rm(file, { force: true });
}

/**
 * Ends the machine. With `save`, or when it was brought up with `keep`, its memory and disks stay, and the next `labUp`
 * resumes the very same machine; otherwise they are thrown away. Does nothing when it does not run.
 */
export async function labDown(place: LabPlace, options: { readonly save?: boolean } = {}): Promise<void> {
  const layout = layoutOf(place);
  try {
    await locked(layout, async () => {
      const record = await readRecord(layout);
      await takeDown(layout, options.save ?? record?.keep ?? false);
    });
  } catch (error) {
    throw explain('ending the lab', layout.home, error, undefined);
  }
}

/** Throws the lab's machine away, kept or not; with `cache`, also what every lab is built from and resumed from. */
export async function labClean(place: LabPlace, options: { readonly cache?: boolean } = {}): Promise<void> {
  const layout = layoutOf(place);
  const runner = createRunner();
  await locked(layout, async () => {
    await takeDown(layout, false);
    await removeTree(runner, layout.home);
  });
  if (options.cache === true) await withMachineLock(`lab-build/${layout.cache}`, () => removeTree(runner, layout.cache));
}
