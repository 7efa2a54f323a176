/** Whether tools are there, and which. */
import type { Host, HostFiles } from '../../../system/host.ts';

/** Whether a tool is installed. Debian merged /usr: a tool may be named by either path, and moves between bin and sbin. */
export async function isInstalled(files: HostFiles, path: string): Promise<boolean> {
  return (
    (await files.info(path)) !== undefined ||
    (await files.info(path.replace(/^\/usr/, ''))) !== undefined ||
    (await files.info(path.replace('/sbin/', '/bin/'))) !== undefined
  );
}

/** `e2fsprogs 1.47.0-2+b2`, of each Debian package that is installed. */
export async function packageVersions(host: Host, names: readonly string[]): Promise<string[]> {
  const { stdout } = await host.run('dpkg-query', ['-W', '-f=${Package} ${Version}\\n', '--', ...names], { okCodes: [0, 1] });
  return stdout.split('\n').filter((line) => / \S/.test(line));
}
