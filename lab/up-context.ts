/** What all ways to bring a lab up share: what they need, and the worker's package, which they install when the dom0 has another one. */
import type { Runner } from '../system/run.ts';
import { sha256File } from './artifact.ts';
import type { Layout } from './layout.ts';
import type { Accel } from './machine.ts';
import type { Progress } from './progress.ts';
import type { LabRecord } from './record.ts';
import type { LabKind } from './releases.ts';
import type { StartContext } from './start.ts';
import { installWorker } from './worker.ts';

/** What bringing a lab up needs. */
export interface UpContext {
  readonly runner: Runner;
  readonly layout: Layout;
  readonly progress: Progress;
  readonly kind: LabKind;
  readonly accel: Accel;
  readonly temporalPort: number;
  readonly dom0Name: string;
  readonly keep: boolean;
  /** The dom0 worker's package, being made. */
  readonly workerPackage: Promise<WorkerPackage> | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** A Debian package of the dom0 worker. */
export interface WorkerPackage {
  readonly file: string;
  readonly sha256: string;
}

/** Begins to make the package, and hashes it; a failure is reported when it is awaited. */
export function beginPackage(packageFile: (() => Promise<string>) | undefined): Promise<WorkerPackage> | undefined {
  if (packageFile === undefined) return undefined;
  const made = packageFile().then(async (file) => ({ file, sha256: await sha256File(file) }));
  made.catch(() => undefined);
  return made;
}

export async function qemuVersion(runner: Runner): Promise<string> {
  return (await runner.run('qemu-system-x86_64', ['--version'])).stdout.split('\n')[0] ?? '';
}

export function startContext(context: UpContext, baseFolder: string, accel: Accel, sshPort: number): StartContext {
  const { runner, layout, signal } = context;
  return { runner, layout, baseFolder, accel, sshPort, signal };
}

/** Installs the worker when the lab has another one or none. Returns the record to write. */
export async function withWorker(
  context: UpContext,
  record: LabRecord,
  afterwards: (record: LabRecord) => Promise<void> = () => Promise.resolve(),
): Promise<LabRecord> {
  const { layout, progress, runner, signal } = context;
  const made = await context.workerPackage;
  if (made === undefined || made.sha256 === record.packageSha256) return record;
  const stop = progress.begin('package', "installing the dom0 worker's package");
  await installWorker(runner, layout, made.file, record.dom0Name, signal);
  const updated = { ...record, packageSha256: made.sha256 };
  await afterwards(updated);
  stop();
  return updated;
}
