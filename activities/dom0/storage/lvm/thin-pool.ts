/** What LVM reports of a thin pool, and how much of it may still be given out. */
import type { Host } from '../../../../system/host.ts';
import { ToolError } from '../../../../system/run.ts';
import { reportRows, runReport } from './reports.ts';

export interface ThinPool {
  readonly name: string;
  readonly sizeBytes: number;
  /** What no volume has written to. */
  readonly freeBytes: number;
  /** How full its table of blocks is, as a share of 1. A full one stops the pool as full data do. */
  readonly metadataShare: number;
  /** It zeroes a block before it gives it out. If it does not, a guest reads what another one has left. */
  readonly isZeroing: boolean;
  /** It takes back the blocks that are discarded. */
  readonly takesDiscards: boolean;
  /** What happens to a write for which no block is left. `queue`: it waits for a minute, then it fails. */
  readonly whenFull: string;
  readonly chunkBytes: number;
  /** Blank if it is well. */
  readonly health: string;
}

const COLUMNS = 'lv_name,lv_size,data_percent,metadata_percent,lv_attr,discards,lv_when_full,chunk_size,lv_health_status';

/** `lvs --reportformat json` of a thin pool. Undefined: the volume is none. */
export function parseThinPool(text: string): ThinPool | undefined {
  const row = reportRows('lvs', text, 'lv')[0];
  const attributes = row?.['lv_attr'] ?? '';
  if (row === undefined || !attributes.startsWith('t')) return undefined;
  const sizeBytes = Number(row['lv_size']);
  return {
    name: row['lv_name'] ?? '',
    sizeBytes,
    // LVM says two digits behind the point, rounded.
    freeBytes: Math.max(0, Math.floor((sizeBytes * (10_000 - Math.round(Number(row['data_percent']) * 100))) / 10_000)),
    metadataShare: Number(row['metadata_percent']) / 100,
    isZeroing: attributes.charAt(7) === 'z',
    takesDiscards: row['discards'] !== 'ignore',
    whenFull: row['lv_when_full'] ?? '',
    chunkBytes: Number(row['chunk_size']),
    health: row['lv_health_status'] ?? '',
  };
}

/** The thin pool; undefined if there is none of that name. */
export async function thinPoolOf(host: Host, vg: string, name: string): Promise<ThinPool | undefined> {
  try {
    return parseThinPool(await runReport(host, 'lvs', COLUMNS, vg, name));
  } catch (error) {
    // An LVM tool exits with 5 after any failure: only its words tell "there is none" from "could not look".
    if (error instanceof ToolError && error.code === 5 && /not found|failed to find/i.test(error.stderr)) return undefined;
    throw error;
  }
}
