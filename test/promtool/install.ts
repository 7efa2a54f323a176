/** promtool, from Debian's package of Prometheus, in the cache. The package itself is not installed: it would start a server. */
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { createRunner } from '../../system/run.ts';
import { defaultCacheDir } from '../../worker/cache-dir.ts';

const runner = createRunner();

function place(): string {
  return join(defaultCacheDir(), 'promtool', 'promtool');
}

/** Its path; undefined when it is not there. */
export function promtool(): string | undefined {
  return existsSync(place()) ? place() : undefined;
}

/**
 * Downloads the package (19 MB), and takes promtool out of it, unless it is there.
 *
 * @throws ToolError where there is no apt-get, or it has no such package
 */
export async function installPromtool(say: (message: string) => void): Promise<void> {
  if (promtool() !== undefined) return;
  const target = place();
  const scratch = `${target}.new-${String(process.pid)}`;
  say("Fetching promtool from Debian's package prometheus …");
  mkdirSync(scratch, { recursive: true });
  try {
    const download = (): Promise<unknown> => runner.run('apt-get', ['download', '-qq', 'prometheus'], { cwd: scratch, timeoutMs: 300_000 });
    // On a fresh machine apt has no lists yet.
    await download().catch(async () => {
      await runner.run('apt-get', ['update', '-qq'], { timeoutMs: 300_000 });
      return download();
    });
    const [deb = ''] = readdirSync(scratch).filter((name) => name.endsWith('.deb'));
    await runner.run('dpkg-deb', ['--extract', deb, 'tree'], { cwd: scratch, timeoutMs: 120_000 });
    renameSync(join(scratch, 'tree', 'usr', 'bin', 'promtool'), target);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}
