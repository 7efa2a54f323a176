/** Takes one backup of a dom0: goes on with what came of it before, and believes nothing but its sum. */
import { createHash, type Hash } from 'node:crypto';
import { constants } from 'node:fs';
import { open, rm, type FileHandle } from 'node:fs/promises';
import type { StoredBackup } from '../../../../contract/backup.ts';
import { GuestflowError } from '../../../../contract/errors.ts';
import { formatSize, MiB } from '../../../../contract/sizes.ts';
import type { Remote } from '../../tools/pull-ssh.ts';
import type { HandWork } from '../../work.ts';
import { backupId } from '../port.ts';
import { recordText, sumOf } from '../record.ts';
import { checkedRecord } from '../repositories/reading.ts';
import { ask, type Progress } from './ask.ts';
import type { Place } from './place.ts';
import { disbelief, LONGEST_HEAD, type Offer } from './protocol.ts';
import type { Room } from './room.ts';

/** So often it is looked whether there is still room: others write, too. */
const LOOK_BYTES = 64 * MiB;

/** Where a backup is taken from, and where to. */
export interface Taking {
  readonly remote: Remote;
  readonly place: Place;
  readonly room: Room;
  readonly atLeast: Progress;
}

interface Received {
  readonly backup: StoredBackup;
  /** Bytes that were here before. */
  readonly from: number;
  readonly isWhole: boolean;
}

/**
 * @returns the backup, recorded, and how many of its bytes were here before
 * @throws BackupUnusable when what came is not what the record says, NoCapacity, Unreachable. What has come may stay as a part, for the next time
 */
export async function take(work: HandWork, taking: Taking, offer: Offer): Promise<Pick<Received, 'backup' | 'from'>> {
  const { place } = taking;
  await place.open(offer.id);
  const part = place.part(offer.id);
  let received = await receive(work, taking, offer, part);
  // What was here was the beginning of something else, or is not what was written.
  if (!received.isWhole && received.from > 0) {
    await rm(part);
    received = await receive(work, taking, offer, part);
  }
  if (!received.isWhole) {
    await rm(part);
    throw disbelief(`the bytes of ${offer.id} of ${offer.guest} are not those of its record: another SHA-256`);
  }
  await place.record(received.backup, new Date());
  taking.room.add({ backups: 1, recordBytes: recordText(received.backup).length });
  return received;
}

async function receive(work: HandWork, { remote, room, atLeast }: Taking, offer: Offer, part: string): Promise<Received> {
  const { guest, id, bytes } = offer;
  const file = await open(part, constants.O_RDWR | constants.O_CREAT | constants.O_APPEND | constants.O_NOFOLLOW, 0o600);
  try {
    const hash = createHash('sha256');
    const from = await bytesHere(work, file, hash, offer);
    let [at, look] = [from, from];
    let backup: StoredBackup | undefined;
    const mustHaveRoom = async (): Promise<void> => {
      const why = await room.whyNot(bytes, bytes - at);
      if (why !== undefined) throw new GuestflowError('NoCapacity', `no room for ${id} of ${guest}: ${why}`, { field: 'into' });
      look = at + LOOK_BYTES;
    };
    await mustHaveRoom();
    await ask(work, remote, { what: 'send', guest, id, offset: from }, atLeast, {
      longest: LONGEST_HEAD,
      line(answer) {
        if (answer.is !== 'backup') throw disbelief(`it said "${answer.is}" where a backup was asked for`);
        backup = recordOf(answer.record, offer);
        return true;
      },
      async bytes(piece) {
        if (at + piece.byteLength > bytes) throw disbelief(`it sent more than the ${bytes} bytes of ${id} of ${guest}`);
        await file.writeFile(piece);
        hash.update(piece);
        at += piece.byteLength;
        room.add({ bytes: piece.byteLength });
        work.progress(`${guest} ${id}: ${formatSize(at)} of ${formatSize(bytes)}`, at / bytes);
        if (at >= look) await mustHaveRoom();
      },
    });
    if (backup === undefined) throw disbelief('it ended before it began');
    if (at < bytes) throw new GuestflowError('Unreachable', `${id} of ${guest} ended after ${at} of ${bytes} bytes`, { field: 'from' });
    await file.sync();
    return { backup, from, isWhole: hash.digest('hex') === backup.sha256 };
  } finally {
    await file.close();
  }
}

/** Sums what is there of it. */
async function bytesHere(work: HandWork, file: FileHandle, hash: Hash, { guest, id, bytes }: Offer): Promise<number> {
  const { size } = await file.stat();
  if (size > bytes) {
    await file.truncate();
    return 0;
  }
  let at = 0;
  if (size > 0)
    for await (const piece of file.createReadStream({
      start: 0,
      end: size - 1,
      highWaterMark: MiB,
      autoClose: false,
      signal: work.signal,
    })) {
      hash.update(piece as Buffer);
      at += (piece as Buffer).length;
      work.progress(`${guest} ${id}: reading what is here of it`, at / size);
    }
  return at;
}

/** The backup that a record describes, which must be the one that was offered. */
function recordOf(text: string, offer: Offer): StoredBackup {
  const backup = checkedRecord(text, offer);
  if (typeof backup === 'string') throw disbelief(`the record of ${offer.id} of ${offer.guest}: ${backup}`);
  if (backup.keptBy !== undefined) throw disbelief(`${offer.id} of ${offer.guest} is no file of its own`);
  if (backup.bytes !== offer.bytes || sumOf(backup) !== offer.recordSha256)
    throw disbelief(`the record of ${offer.id} of ${offer.guest} is another than it has listed`);
  if (backupId(new Date(backup.takenAt)) !== offer.id) throw disbelief(`${offer.id} of ${offer.guest} was taken at ${backup.takenAt}`);
  return backup;
}
