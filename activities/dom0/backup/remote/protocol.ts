/**
 * What a backup host and a dom0 say to each other over ssh: one connection, one request, one answer. The request is one line. The answer is lines of JSON;
 * after `backup` follow the bytes of its file, from the offset that was asked for to its end, and nothing more. Neither side believes the other one.
 */
import { z } from 'zod';
import { BACKUP_ID } from '../../../../contract/backup.ts';
import { GuestflowError } from '../../../../contract/errors.ts';
import { whyNotGuestName } from '../../../../contract/guest-name.ts';
import { MiB } from '../../../../contract/sizes.ts';
import { plainText } from '../../../../system/plain-text.ts';
import { proofSchema } from '../proof.ts';

/** `list`: which whole backups there are. `send`: one of them. */
export type Request =
  { readonly what: 'list' } | { readonly what: 'send'; readonly guest: string; readonly id: string; readonly offset: number };

/** Characters of a request's line: the longest one has 102. */
export const LONGEST_REQUEST = 128;
/** Bytes of a line that answers `list`. */
export const LONGEST_LINE = 4_096;
/** Bytes of the line before a backup's bytes: a record has a cfg and an order in it, a few KiB each. */
export const LONGEST_HEAD = MiB;
/** Characters of what a proof has seen, on their way. However they are escaped, a line has room for them. */
export const LONGEST_SEEN = 500;
/** Backups that one dom0 may offer, and that are kept of it. Each is three files, and at most five. */
export const MOST_BACKUPS = 20_000;

const SEND = /^send ([a-z0-9.-]{1,63}) (\d{8}T\d{6}Z) (0|[1-9]\d{0,15})$/;

export function requestLine(request: Request): string {
  return request.what === 'list' ? 'list' : `send ${request.guest} ${request.id} ${request.offset}`;
}

/** @param line without its end @throws InvalidInput */
export function parseRequest(line: string): Request {
  if (line === 'list') return { what: 'list' };
  const [, guest = '', id = '', digits = ''] = SEND.exec(line) ?? [];
  const offset = Number(digits);
  if (whyNotGuestName(guest) === undefined && Number.isSafeInteger(offset)) return { what: 'send', guest, id, offset };
  throw new GuestflowError('InvalidInput', 'this is no request: it must be one line, `list` or `send GUEST ID OFFSET`', {
    field: 'request',
    value: plainText(line.slice(0, LONGEST_REQUEST)),
  });
}

const reason = z.string().max(1_000).transform(plainText);

const recordSchema = z.strictObject({
  is: z.literal('record'),
  guest: z.string().refine((name) => whyNotGuestName(name) === undefined),
  id: z.string().regex(BACKUP_ID),
  /** Of its record, which holds that of its file. */
  recordSha256: z.string().regex(/^[0-9a-f]{64}$/),
  /** Of its file. */
  bytes: z.int().min(0),
  /** What came of its last proof there. */
  proof: z.strictObject({ ...proofSchema.shape, what: z.string().max(LONGEST_SEEN).transform(plainText) }).exactOptional(),
  /** It is protected from retention there. */
  isProtected: z.literal(true).exactOptional(),
});

const answerSchema = z.discriminatedUnion('is', [
  recordSchema,
  /** What cannot be offered: a damaged record, a directory that cannot be read. */
  z.strictObject({ is: z.literal('problem'), of: z.string().max(200).transform(plainText), reason }),
  z.strictObject({ is: z.literal('end') }),
  /** The text of the record. */
  z.strictObject({ is: z.literal('backup'), record: z.string().max(LONGEST_HEAD) }),
  z.strictObject({ is: z.literal('refused'), reason }),
]);

export type Answer = z.output<typeof answerSchema>;
/** A backup that a dom0 has. */
export type Offer = z.output<typeof recordSchema>;

export function answerLine(answer: Answer): string {
  return `${JSON.stringify(answer)}\n`;
}

/** What the other side said cannot be: it is not what it should be. */
export function disbelief(what: string): GuestflowError {
  return new GuestflowError('BackupUnusable', `the dom0's answer is not to be believed: ${what}`, {
    field: 'from',
    mend: 'look at that dom0: guestflow of another version, something that prints when it logs in, or somebody else answers there',
  });
}

/** @throws BackupUnusable when it is no answer, or the dom0 refuses */
function answerOf(line: string): Exclude<Answer, { is: 'refused' }> {
  let answer: Answer;
  try {
    answer = answerSchema.parse(JSON.parse(line));
  } catch {
    throw disbelief(`it said ${JSON.stringify(plainText(line.slice(0, 80)))}`);
  }
  if (answer.is !== 'refused') return answer;
  throw new GuestflowError('BackupUnusable', `the dom0 refuses: ${answer.reason}`, { field: 'from' });
}

/** What is done with an answer that comes in pieces. */
export interface AnswerSink {
  /** Bytes that a line may have. */
  readonly longest: number;
  /** Returns whether bytes follow, and no lines any more. */
  readonly line: (answer: Exclude<Answer, { is: 'refused' }>) => boolean;
  readonly bytes: (piece: Uint8Array) => Promise<void>;
}

/** Takes lines, and then bytes, out of the pieces of an answer. */
export function answerReader({ longest, line, bytes }: AnswerSink): (piece: Uint8Array) => Promise<void> {
  let rest: Buffer = Buffer.alloc(0);
  let isBytes = false;
  return async (piece) => {
    if (isBytes) return bytes(piece);
    rest = Buffer.concat([rest, piece]);
    for (let end = rest.indexOf('\n'); end !== -1 && !isBytes; end = rest.indexOf('\n')) {
      if (end > longest) break;
      isBytes = line(answerOf(rest.toString('utf8', 0, end)));
      rest = rest.subarray(end + 1);
    }
    if (isBytes) return rest.length === 0 ? undefined : bytes(rest);
    if (rest.length > longest) throw disbelief(`a line of it has more than ${longest} bytes`);
  };
}
