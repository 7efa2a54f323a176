/** Schemathesis, from PyPI, in a Python environment of its own in the cache. */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createRunner } from '../../system/run.ts';
import { defaultCacheDir } from '../../worker/cache-dir.ts';

const REQUIREMENTS = join(import.meta.dirname, 'requirements.txt');
const runner = createRunner();

/** Where it is, or will be: another list of packages is another place. */
function directory(): string {
  const hash = createHash('sha256').update(readFileSync(REQUIREMENTS)).digest('hex');
  return join(defaultCacheDir(), 'python', `schemathesis-${hash.slice(0, 16)}`);
}

/** Is there once all packages are. */
function stampIn(home: string): string {
  return join(home, '.installed');
}

/** Path of its command; undefined when it is not installed. */
export function schemathesis(): string | undefined {
  const home = directory();
  return existsSync(stampIn(home)) ? join(home, 'bin', 'schemathesis') : undefined;
}

/**
 * Installs it, unless it is there.
 *
 * @throws ToolError when Python cannot make environments (Debian: python3-venv), or the packages cannot be had
 */
export async function installSchemathesis(say: (message: string) => void): Promise<void> {
  if (schemathesis() !== undefined) return;
  const home = directory();
  say('Installing Schemathesis from PyPI …');
  rmSync(home, { recursive: true, force: true });
  await runner.run('python3', ['-m', 'venv', home], { timeoutMs: 120_000 });
  await runner.run(join(home, 'bin', 'pip'), ['install', '--quiet', '--no-deps', '--only-binary', ':all:', '--requirement', REQUIREMENTS], {
    timeoutMs: 600_000,
  });
  writeFileSync(stampIn(home), '');
}
