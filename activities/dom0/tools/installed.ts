/** Whether tools are there. */
import type { HostFiles } from '../../../system/host.ts';

/** Whether a tool is installed. Debian merged /usr: a tool may be named by either path, and moves between bin and sbin. */
export async function isInstalled(files: HostFiles, path: string): Promise<boolean> {
  return (
    (await files.info(path)) !== undefined ||
    (await files.info(path.replace(/^\/usr/, ''))) !== undefined ||
    (await files.info(path.replace('/sbin/', '/bin/'))) !== undefined
  );
}
