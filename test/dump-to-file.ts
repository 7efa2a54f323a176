/** What an engine saves, in a file of its own, as a repository that is a directory has it. */
import { BlocksEngine } from '../activities/dom0/backup/engines/blocks.ts';
import { DumpEngine } from '../activities/dom0/backup/engines/dump-engine.ts';
import type { Engine, Saved } from '../activities/dom0/backup/port.ts';
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

export interface Written extends Saved {
  readonly commit: () => Promise<void>;
  readonly abort: () => Promise<void>;
}

async function saveToFile(engine: Engine, host: Host, { device, path }: ToFile): Promise<Written> {
  const sink = await host.files.sink(path);
  try {
    const saved = await engine.save(device, sink);
    return { ...saved, commit: () => sink.commit(), abort: () => sink.abort() };
  } catch (error) {
    await sink.abort();
    throw error;
  }
}

export function dumpToFile(host: Host, to: ToFile): Promise<Written> {
  return saveToFile(new DumpEngine(workOn(host, to.signal)), host, to);
}

export function blocksToFile(host: Host, to: ToFile): Promise<Written> {
  return saveToFile(new BlocksEngine(workOn(host, to.signal)), host, to);
}
