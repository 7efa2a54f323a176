/** The record of the embedded Temporal, which processes share. */
import { readFile } from 'node:fs/promises';
import type { ServerProcess } from '../system/run-server.ts';
import { writeWhole } from '../system/whole-file.ts';

/** The server, its ports, and the process that must end it. */
export interface ServerRecord extends ServerProcess {
  readonly port: number;
  readonly uiPort: number;
  readonly owner: ServerProcess;
}

function isProcess(value: unknown): value is ServerProcess {
  return (
    typeof value === 'object' &&
    value !== null &&
    'pid' in value &&
    typeof value.pid === 'number' &&
    'startTime' in value &&
    typeof value.startTime === 'string'
  );
}

/** The record; undefined if there is none or it is damaged: it only saves a start, so a damaged one counts as none. */
export async function readServerRecord(path: string): Promise<ServerRecord | undefined> {
  try {
    const record: unknown = JSON.parse(await readFile(path, 'utf8'));
    if (!isProcess(record) || !('owner' in record) || !isProcess(record.owner)) return undefined;
    if (!('port' in record) || typeof record.port !== 'number' || !('uiPort' in record) || typeof record.uiPort !== 'number')
      return undefined;
    return { pid: record.pid, startTime: record.startTime, port: record.port, uiPort: record.uiPort, owner: record.owner };
  } catch {
    return undefined;
  }
}

/** Replaces the record, whole or not at all. */
export async function writeServerRecord(path: string, record: ServerRecord): Promise<void> {
  await writeWhole(path, `${JSON.stringify(record)}\n`);
}
