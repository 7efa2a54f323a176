/** Where the fault tests keep what they make: thousands of small trees that come and go, and Temporal's database. */
import { accessSync, constants, existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Memory, where Linux gives it as a directory: nothing here must survive more than a killed process, and a disk takes most of the time. */
const MEMORY = '/dev/shm';
const PREFIX = 'guestflow-faults-';

function parent(): string {
  if (process.env['TMPDIR'] !== undefined) return tmpdir();
  try {
    accessSync(MEMORY, constants.W_OK | constants.X_OK);
    return MEMORY;
  } catch {
    return tmpdir();
  }
}

/** What runs that were killed have left: it would take memory until the machine is restarted. */
function removeOthers(directory: string): void {
  for (const name of readdirSync(directory).filter((entry) => /^guestflow-faults-\d+$/.test(entry)))
    if (!existsSync(`/proc/${name.slice(PREFIX.length)}`)) rmSync(join(directory, name), { recursive: true, force: true });
}

let root: string | undefined;

function remove(): void {
  if (root !== undefined) rmSync(root, { recursive: true, force: true });
  root = undefined;
}

/** A directory of this process's own, which goes with it. */
export function scratch(): string {
  if (root !== undefined) return root;
  const directory = parent();
  if (existsSync('/proc/self')) removeOthers(directory);
  root = join(directory, `${PREFIX}${String(process.pid)}`);
  mkdirSync(root, { recursive: true, mode: 0o700 });
  process.once('exit', remove);
  return root;
}
