/** Pipes of the kernel, by which one process prints straight into another. Node has none: it joins processes by copying. */
import { closeSync, constants, openSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startProcess } from './process.ts';

/** Both ends, as file descriptors. Who has opened it closes both as soon as the processes have them. */
export interface Pipe {
  readonly readEnd: number;
  readonly writeEnd: number;
}

/** Opens a pipe: a named one in a directory that only this user can enter, which is gone before anything is written. */
export async function openPipe(): Promise<Pipe> {
  const directory = await mkdtemp(join(tmpdir(), 'guestflow-pipe-'));
  try {
    const path = join(directory, 'pipe');
    await startProcess('mkfifo', ['-m', '0600', '--', path], {}, {});
    // Opening one end waits until the other one is opened; opening both at once does not (fifo(7)).
    const both = openSync(path, constants.O_RDWR);
    try {
      return { readEnd: openSync(path, constants.O_RDONLY), writeEnd: openSync(path, constants.O_WRONLY) };
    } finally {
      closeSync(both);
    }
  } finally {
    await rm(directory, { recursive: true });
  }
}
