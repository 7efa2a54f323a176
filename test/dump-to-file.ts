/** What an engine saves, in a file of its own, as a repository that is a directory has it. */
import { ZstdFile } from '../activities/dom0/backup/containers/zstd-file.ts';
import { DumpEngine } from '../activities/dom0/backup/engines/dump-engine.ts';
import { listDump } from '../activities/dom0/backup/engines/dump.ts';
import type { Written } from '../activities/dom0/backup/port.ts';
import type { Work } from '../activities/dom0/work.ts';
import { dom0SettingsSchema } from '../order/dom0-settings.ts';
import type { BackupEngine } from '../contract/backup.ts';
import type { Host } from '../system/host.ts';

/** Work on a dom0 that is no Temporal activity. */
export function workOn(host: Host, signal = new AbortController().signal, backupEngine: BackupEngine = 'blocks'): Work {
  const settings = dom0SettingsSchema.parse({
    host: 'dom0',
    network: { cidr: '10.0.0.0/24', gateway: '10.0.0.1' },
    kernel: '/boot/vmlinuz',
    initrd: '/boot/initrd.img',
    backupEngine,
  });
  const log = { info: () => undefined, warn: () => undefined };
  return { host, settings, signal, attempt: 1, progress: () => undefined, log };
}

interface ToFile {
  readonly device: string;
  readonly path: string;
  readonly signal?: AbortSignal;
}

export interface WrittenFile extends Written {
  readonly commit: () => Promise<void>;
  readonly abort: () => Promise<void>;
}

export async function dumpToFile(host: Host, { device, path, signal }: ToFile): Promise<WrittenFile> {
  const file = zstdFileOn(host, path, signal);
  try {
    const written = await new DumpEngine(workOn(host, signal)).save(device, file);
    return { ...written, commit: () => file.commit(), abort: () => file.abort() };
  } catch (error) {
    await file.abort();
    throw error;
  }
}

/** A file that holds a backup, or is to. */
export function zstdFileOn(host: Host, path: string, signal?: AbortSignal): ZstdFile {
  return new ZstdFile(workOn(host, signal), path);
}

/** What restore(8) lists of a dump in a file. */
export async function listDumpOn(host: Host, path: string, wanted?: RegExp): Promise<string[]> {
  return await listDump(zstdFileOn(host, path), wanted);
}
