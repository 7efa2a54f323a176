/** Where the fault tests keep what they make: thousands of small trees that come and go, and Temporal's database. */
import { accessSync, constants } from 'node:fs';
import { tmpdir } from 'node:os';

/** Memory, where Linux gives it as a directory: nothing here must survive more than a killed process, and a disk takes most of the time. */
const MEMORY = '/dev/shm';

export function scratch(): string {
  if (process.env['TMPDIR'] !== undefined) return tmpdir();
  try {
    accessSync(MEMORY, constants.W_OK | constants.X_OK);
    return MEMORY;
  } catch {
    return tmpdir();
  }
}
