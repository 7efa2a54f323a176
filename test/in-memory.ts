/** Where tests make their files: in memory. Thousands of small trees come and go, and a disk's file system has half of the work with them. */
import { accessSync, constants, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statfsSync } from 'node:fs';
import { join } from 'node:path';

const MEMORY = '/dev/shm';
const PREFIX = 'guestflow-test-';
/** Of the largest of them: packages, and Temporal's databases. */
const ROOM_BYTES = 4 * 2 ** 30;

/** Whether it is memory, with room, where programs can be started: containers often have little, for data only. */
function isUsable(): boolean {
  try {
    accessSync(MEMORY, constants.W_OK | constants.X_OK);
    const { bavail, bsize } = statfsSync(MEMORY);
    const mount = readFileSync('/proc/mounts', 'utf8')
      .split('\n')
      .map((line) => line.split(' '))
      .find(([, place]) => place === MEMORY);
    return mount?.[2] === 'tmpfs' && !/\bnoexec\b/.test(mount[3] ?? '') && bavail * bsize >= ROOM_BYTES;
  } catch {
    return false;
  }
}

function nameOf(pid: number): string {
  return join(MEMORY, `${PREFIX}${String(pid)}`);
}

/** The environment of tests that need no disk. Whoever has set TMPDIR means it. */
export function inMemory(): Record<string, string> {
  return process.env['TMPDIR'] === undefined && isUsable() ? { TMPDIR: nameOf(process.pid) } : {};
}

/** Makes the runner's directory, which other users may pass through: some tests play one. Removes those of runners that were killed. */
export function setup(): void {
  if (!isUsable()) return;
  for (const name of readdirSync(MEMORY).filter((entry) => entry.startsWith(PREFIX)))
    if (!existsSync(`/proc/${name.slice(PREFIX.length)}`)) rmSync(join(MEMORY, name), { recursive: true, force: true });
  mkdirSync(nameOf(process.pid), { recursive: true, mode: 0o711 });
}

export function teardown(): void {
  rmSync(nameOf(process.pid), { recursive: true, force: true });
}
