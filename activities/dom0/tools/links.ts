/** Links on a dom0, which its tools follow: `HostFiles` itself never does. */
import { dirname, resolve } from 'node:path';
import type { HostFiles } from '../../../system/host.ts';

const MOST_HOPS = 10;

/** The path of the regular file that this path is, or that its links lead to; undefined when that is none. */
export async function fileAt(files: HostFiles, path: string): Promise<string | undefined> {
  let at = path;
  for (let hops = 0; hops <= MOST_HOPS; hops += 1) {
    const info = await files.info(at);
    if (info?.kind === 'file') return at;
    const target = info?.kind === 'symlink' ? await files.readLink(at) : undefined;
    if (target === undefined) return undefined;
    at = resolve(dirname(at), target);
  }
  return undefined;
}
