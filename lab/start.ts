/** Starts the machine of a lab: cold, or from a saved memory. */
import { open, readFile, rm, chmod, mkdir } from 'node:fs/promises';
import path from 'node:path';
import { tail, type Runner } from '../system/run.ts';
import { isServerAlive, startServer, stopServer, type ServerProcess } from '../system/run-server.ts';
import { until } from '../system/until.ts';
import { writeWhole } from '../system/whole-file.ts';
import { LabError } from './errors.ts';
import type { Layout } from './layout.ts';
import { machineArguments, TEMPORAL_INSIDE, type Accel } from './machine.ts';
import { awaitRunState, connectQmp, withQmp, type Qmp } from './qmp.ts';
import { awaitSsh, dropLogin, execInDom0, shellQuote, writeSshConfig } from './ssh.ts';

const VOLUME_DISK = '24G';
/** Room for the dom0 worker's package, unpacked. */
const PARCEL_BYTES = 1024 ** 3;
/** On a quiet machine, a boot takes half a minute, of Debian 13 somewhat more. On a busy one, six minutes were seen. */
const COLD_BOOT_LIMIT_MS = 10 * 60_000;
const RESUME_LIMIT_MS = 60_000;

/** What starting a machine needs. */
export interface StartContext {
  readonly runner: Runner;
  readonly layout: Layout;
  readonly baseFolder: string;
  readonly accel: Accel;
  readonly sshPort: number;
  readonly signal?: AbortSignal | undefined;
}

/** Opens the way from dom0 to the Temporal server on the host's loopback, or shuts it: then a knock is noted in `layout.knocked`. */
export async function setTemporalGate(layout: Layout, port: number | 'shut'): Promise<void> {
  const action = port === 'shut' ? `: > ${shellQuote(layout.knocked)}` : `exec socat - TCP:127.0.0.1:${String(port)}`;
  await writeWhole(layout.forwarder, `#!/bin/sh\n${action}\n`, { mode: 0o700 });
}

/** Makes empty disks upon the base. */
export async function makeFreshDisks(runner: Runner, layout: Layout, baseFolder: string): Promise<void> {
  await runner.run('qemu-img', ['create', '-q', '-f', 'qcow2', '-F', 'raw', '-b', path.join(baseFolder, 'dom0.raw'), layout.rootDisk]);
  await runner.run('qemu-img', ['create', '-q', '-f', 'qcow2', layout.volumeDisk, VOLUME_DISK]);
}

async function prepareFolders(layout: Layout): Promise<void> {
  await mkdir(layout.home, { recursive: true, mode: 0o700 });
  await mkdir(layout.run, { recursive: true, mode: 0o700 });
  await chmod(layout.run, 0o700);
  for (const stale of [layout.qmpSocket, layout.serialSocket, layout.sshControl, layout.pidFile, layout.qemuLog])
    await rm(stale, { force: true });
  const parcel = await open(layout.parcel, 'a', 0o600);
  await parcel.truncate(PARCEL_BYTES);
  await parcel.close();
}

async function connectWhenUp(layout: Layout, machine: ServerProcess): Promise<Qmp> {
  let reason: unknown;
  const connect = async (): Promise<Qmp | undefined> => {
    try {
      return await connectQmp(layout.qmpSocket);
    } catch (error) {
      if (!isServerAlive(machine))
        throw new LabError('failed', `QEMU did not start: ${tail(await readFile(layout.qemuLog, 'utf8').catch(() => ''), 3)}`);
      reason = error;
      return undefined;
    }
  };
  const qmp = await until(connect, { everyMs: 50, limitMs: 20_000 });
  if (qmp === undefined) throw reason;
  return qmp;
}

async function launch(context: StartContext, incoming: boolean): Promise<ServerProcess> {
  const { layout } = context;
  await prepareFolders(layout);
  await writeSshConfig(layout, context.baseFolder, context.sshPort);
  const args = machineArguments({ ...layout, base: context.baseFolder, accel: context.accel, sshPort: context.sshPort }, incoming);
  return await startServer({ command: 'qemu-system-x86_64', args, logFile: layout.qemuLog, detached: true });
}

/** Sets dom0's clock, and ends connections to Temporal that were open when the machine was saved: they would hang for half a minute. */
async function wakeDom0({ runner, layout }: StartContext): Promise<void> {
  await execInDom0(runner, layout, ['true'], { timeoutMs: RESUME_LIMIT_MS });
  const [address, port] = TEMPORAL_INSIDE.split(':');
  const script = `date -u -s @${String(Date.now() / 1000)} >/dev/null; ss -K dst ${String(address)} dport = :${String(port)} >/dev/null 2>&1 || true`;
  await execInDom0(runner, layout, ['sh', '-c', script], { timeoutMs: RESUME_LIMIT_MS });
}

async function endOnFailure(machine: ServerProcess, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    await stopServer(machine);
    throw error;
  }
}

/** Boots the machine from its disks; returns when dom0 answers. */
export async function bootCold(context: StartContext): Promise<void> {
  const machine = await launch(context, false);
  await endOnFailure(machine, async () => {
    (await connectWhenUp(context.layout, machine)).close();
    await awaitSsh(context.sshPort, { timeoutMs: COLD_BOOT_LIMIT_MS, signal: context.signal, isAlive: () => isServerAlive(machine) });
    await wakeDom0(context);
  });
}

/**
 * Starts the machine from a saved memory; returns when dom0 answers with its clock set.
 *
 * @param beforeRun called when the memory is loaded and the machine does not run yet.
 */
export async function resumeFrom(
  context: StartContext,
  memoryFile: string,
  beforeRun: () => Promise<void> = () => Promise.resolve(),
): Promise<void> {
  const { layout } = context;
  const machine = await launch(context, true);
  await endOnFailure(machine, async () => {
    const qmp = await connectWhenUp(layout, machine);
    try {
      await qmp.execute('migrate-incoming', { uri: `exec:zstd -dcq ${shellQuote(memoryFile)}` });
      // "cont" is lost while the memory is still being loaded.
      await awaitRunState(qmp, (state) => state === 'paused', RESUME_LIMIT_MS);
      await beforeRun();
      await qmp.execute('cont');
    } finally {
      qmp.close();
    }
    await wakeDom0(context);
  });
}

/** Cuts the machine's power and boots it again; returns when dom0 answers. */
export async function resetMachine(context: StartContext, isAlive: () => boolean): Promise<void> {
  await withQmp(context.layout.qmpSocket, (qmp) => qmp.execute('system_reset'));
  await dropLogin(context.runner, context.layout);
  await awaitSsh(context.sshPort, { timeoutMs: COLD_BOOT_LIMIT_MS, signal: context.signal, isAlive });
  await wakeDom0(context);
}
