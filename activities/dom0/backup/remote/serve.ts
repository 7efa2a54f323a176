/**
 * The dom0's side of a pull: what a forced command of sshd runs, as a user that is not root. It answers one request, and can do nothing but read: which
 * whole backups there are, and one of them. Nothing that is asked for is used as a path.
 */
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { once } from 'node:events';
import { addAbortSignal, type Readable, type Writable } from 'node:stream';
import { defined } from '../../../../contract/defined.ts';
import { GuestflowError } from '../../../../contract/errors.ts';
import { guestsIn, readBackupOf, readGuestOf, recordTextOf } from '../repositories/reading.ts';
import { answerLine, LONGEST_REQUEST, LONGEST_SEEN, parseRequest, type Request } from './protocol.ts';

/** Who has a key asks at once. */
const REQUEST_LIMIT_MS = 30_000;
/** Why a backup is not sent. */
const IN_BORG = 'is in a borg repository: that is copied as a whole, by other means';
/** How much of the file is in memory at a time. */
const PIECE = 256 * 1024;

/**
 * Answers one request.
 *
 * @param directory of the backups
 * @throws GuestflowError after the other side was told the same
 */
export async function serveBackups(directory: string, input: Readable, output: Writable): Promise<void> {
  try {
    const request = await requestFrom(input);
    if (request.what === 'list') await list(directory, output);
    else await send(directory, request, output);
  } catch (error) {
    if (error instanceof GuestflowError) await write(output, answerLine({ is: 'refused', reason: short(error.message) }));
    throw error;
  }
}

async function requestFrom(input: Readable): Promise<Request> {
  let text = '';
  const limit = AbortSignal.timeout(REQUEST_LIMIT_MS);
  try {
    for await (const piece of addAbortSignal(limit, input)) {
      text += (piece as Buffer).toString('latin1');
      if (text.includes('\n') || text.length > LONGEST_REQUEST) break;
    }
  } catch (error) {
    if (!limit.aborted) throw error;
    throw new GuestflowError('InvalidInput', `no request came within ${REQUEST_LIMIT_MS / 1000} s`, { field: 'request' });
  }
  return parseRequest(text.split('\n', 1)[0] ?? '');
}

async function list(directory: string, output: Writable): Promise<void> {
  const tell = (of: string, reason: string): Promise<void> => write(output, answerLine({ is: 'problem', of, reason: short(reason) }));
  for (const name of await guestsIn(directory)) {
    // What was a guest's place a moment ago may have gone with the guest; one that may not be read is told.
    const guest = await readGuestOf(directory, name).catch((error: unknown) => (error instanceof Error ? error.message : String(error)));
    if (typeof guest === 'string') {
      await tell(name, guest);
      continue;
    }
    for (const { record, reason } of guest.damaged) await tell(`${name}/${record}`, reason);
    for (const { id, recordSha256, bytes, proof, isProtected, keptBy } of guest.backups) {
      const seen = proof === undefined ? undefined : { ...proof, what: proof.what.slice(0, LONGEST_SEEN) };
      if (keptBy !== undefined) await tell(`${name}/${id}`, IN_BORG);
      else
        await write(output, answerLine({ is: 'record', guest: name, id, recordSha256, bytes, ...defined({ proof: seen, isProtected }) }));
    }
  }
  await write(output, answerLine({ is: 'end' }));
}

async function send(directory: string, { guest, id, offset }: Extract<Request, { what: 'send' }>, output: Writable): Promise<void> {
  const backup = await readBackupOf(directory, guest, id);
  const refuse = (why: string): GuestflowError => new GuestflowError('BackupUnusable', `backup ${id} of ${guest} ${why}`);
  if (backup.keptBy !== undefined) throw refuse(IN_BORG);
  if (offset > backup.bytes) throw refuse(`has ${backup.bytes} bytes: it cannot be sent from byte ${offset} on`);
  const file = await open(backup.path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK).catch((error: unknown) => {
    throw refuse(`cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  });
  try {
    if (!(await file.stat()).isFile()) throw refuse('is no file');
    await write(output, answerLine({ is: 'backup', record: await recordTextOf(directory, backup) }));
    if (offset === backup.bytes) return;
    const pieces = file.createReadStream({ start: offset, end: backup.bytes - 1, highWaterMark: PIECE, autoClose: false });
    for await (const piece of pieces) await write(output, piece as Buffer);
  } finally {
    await file.close();
  }
}

async function write(output: Writable, bytes: string | Uint8Array): Promise<void> {
  if (!output.write(bytes)) await once(output, 'drain');
}

/** However it is escaped, a line has room for it. */
function short(text: string): string {
  return text.slice(0, 500);
}
