/** A dump into a file of its own, as a repository that is a directory has it. */
import { dumpTo, type WrittenDump } from '../activities/dom0/backup/engines/dump.ts';
import type { Host } from '../system/host.ts';

export async function dumpToFile(
  host: Host,
  { path, ...options }: { readonly path: string } & Parameters<typeof dumpTo>[2],
): Promise<WrittenDump & { readonly commit: () => Promise<void>; readonly abort: () => Promise<void> }> {
  const sink = await host.files.sink(path);
  try {
    const written = await dumpTo(host, sink, options);
    return { ...written, commit: () => sink.commit(), abort: () => sink.abort() };
  } catch (error) {
    await sink.abort();
    throw error;
  }
}
