/** The mark of a disk that is a file: whose it is, and how far work on it has come. It lies beside the file, and is replaced as a whole. */
import { MARKER_FILE, markerOwner, type Owner, type Ref } from '../../marks.ts';
import type { HostFiles } from '../../../../system/host.ts';

/** What the mark says beside the owner. One that says nothing of it is that of a disk that is half made. */
export interface DiskState {
  /** Its content is complete. */
  readonly isWhole?: true;
  /** It is on its way out, and cannot be brought back. */
  readonly isGoing?: true;
  /** Set while it grows: its size before. */
  readonly grownFrom?: number;
  /** Of a copy that is being made: whom that has stopped, and nobody has had go on. */
  readonly stopped?: string;
}

export interface DiskMark extends DiskState {
  readonly owner: Owner;
}

/** The mark in the directory of a disk; undefined if there is none of ours. */
export async function readMark(files: HostFiles, directory: string): Promise<DiskMark | undefined> {
  const text = await files.read(`${directory}/${MARKER_FILE}`);
  const owner = markerOwner(text);
  if (owner === undefined || text === undefined) return undefined;
  const { isWhole, isGoing, grownFrom, stopped } = JSON.parse(text.toString('utf8')) as Record<string, unknown>;
  return {
    owner,
    ...(isWhole === true ? { isWhole } : {}),
    ...(isGoing === true ? { isGoing } : {}),
    ...(typeof grownFrom === 'number' && Number.isSafeInteger(grownFrom) ? { grownFrom } : {}),
    ...(typeof stopped === 'string' ? { stopped } : {}),
  };
}

/** Replaces the mark, durably and as a whole. */
export async function writeMark(files: HostFiles, directory: string, { name, order }: Ref, state: DiskState): Promise<void> {
  await files.writeAtomic(`${directory}/${MARKER_FILE}`, `${JSON.stringify({ guest: name, order, ...state })}\n`);
}
