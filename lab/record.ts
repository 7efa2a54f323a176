/** What a lab remembers about itself between commands. */
import { readFile } from 'node:fs/promises';
import { processStartTime, type ServerProcess } from '../system/run-server.ts';
import { writeWhole } from '../system/whole-file.ts';
import type { Layout } from './layout.ts';
import type { Accel } from './machine.ts';
import type { LabKind } from './releases.ts';
import { readFileSync } from 'node:fs';

/** The content of `lab.json`. */
export interface LabRecord extends LabKind {
  readonly accel: Accel;
  /** Port of dom0's ssh on the host's loopback. */
  readonly sshPort: number;
  readonly temporalPort: number;
  readonly baseKey: string;
  /** The build of the base that the disks belong to; another build of the same recipe does not fit. */
  readonly buildId: string;
  readonly dom0Name: string;
  /** The disks outlive `down`. */
  readonly keep: boolean;
  /** The machine's memory is saved beside its disks. */
  readonly saved: boolean;
  /** QEMU and hardware that a saved memory belongs to. */
  readonly signature: string;
  /** The dom0 worker's package that is installed inside. */
  readonly packageSha256?: string;
  readonly startedAt: string;
}

/** The lab's record; undefined when there is none, or none that can be read. */
export async function readRecord(layout: Layout): Promise<LabRecord | undefined> {
  try {
    return JSON.parse(await readFile(layout.record, 'utf8')) as LabRecord;
  } catch {
    return undefined;
  }
}

/** Replaces the record in one go. */
export async function writeRecord(layout: Layout, record: LabRecord): Promise<void> {
  await writeWhole(layout.record, `${JSON.stringify(record, undefined, 1)}\n`);
}

/** The lab's QEMU when it runs: found by the id that QEMU itself wrote, and by its command line. */
export function findMachine(layout: Layout): ServerProcess | undefined {
  try {
    const pid = Number(readFileSync(layout.pidFile, 'utf8').trim());
    const commandLine = readFileSync(`/proc/${String(pid)}/cmdline`, 'utf8');
    const startTime = processStartTime(pid);
    return startTime !== undefined && commandLine.includes(layout.qmpSocket) ? { pid, startTime } : undefined;
  } catch {
    return undefined;
  }
}
