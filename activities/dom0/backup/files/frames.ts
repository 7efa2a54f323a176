/**
 * What the reader in its cage says of a file system: frames, each a length, a document of that length, and the content that it announces. Names are bytes,
 * written as Latin-1. Both sides are here: one writes, and the other believes nothing.
 */
import { z } from 'zod';
import { GuestflowError } from '../../../../contract/errors.ts';
import type { Segment } from './ext4/file-system.ts';

/** What the reader is asked for. */
export interface Request {
  /**
   * `list`: what is in a directory, or the one file. `read`: files with their content, directories with all below them. `tree`: the same without content, but
   * with a sum of it, in the order of names.
   */
  readonly what: 'list' | 'read' | 'tree';
  /** From the root of the file system, as Latin-1. Without a slash at either end; the root is empty. */
  readonly paths: readonly string[];
}

export const ENTRY_KINDS = ['file', 'directory', 'symlink', 'hardlink', 'fifo', 'socket', 'character', 'block'] as const;

/** Half of what a document may hold stands for a million segments. */
const MOST_FRAME = 32 * 2 ** 20;

const whole = z.int().min(0);
const word = whole.max(2 ** 32 - 1);
const name = z
  .string()
  .regex(/^[^\0]*$/)
  .max(1_000_000);

const entrySchema = z.strictObject({
  is: z.literal('entry'),
  /** From the root of the file system, without a slash at its start. */
  path: name,
  kind: z.enum(ENTRY_KINDS),
  mode: whole.max(0o7777),
  uid: word,
  gid: word,
  size: whole,
  mtime: z.tuple([z.int(), whole.max(999_999_999)]),
  /** Of a symbolic link, where it leads; of a hard one, the path that the file has already. */
  target: name.exactOptional(),
  device: z.tuple([word, word]).exactOptional(),
  attributes: z.array(z.tuple([name, z.string()])).max(10_000),
  /** Of a file: where its content, which follows, goes. */
  segments: z.array(z.tuple([whole, whole])),
  /** Of a file in a tree: a sum of its content. */
  digest: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .exactOptional(),
});

const frameSchema = z.discriminatedUnion('is', [
  entrySchema,
  /** What could not be read, and why; or what is left out. */
  z.strictObject({ is: z.literal('problem'), path: z.string().max(1_000_000), reason: z.string().max(1_000), isLoss: z.boolean() }),
  /** The reader could not go on. */
  z.strictObject({ is: z.literal('failure'), reason: z.string().max(1_000) }),
  z.strictObject({ is: z.literal('end') }),
]);

export type Frame = z.output<typeof frameSchema>;
export type FileEntry = z.output<typeof entrySchema>;
export type Problem = Extract<Frame, { is: 'problem' }>;

/** A frame as it goes over the pipe, without the content. */
export function frameBytes(frame: Frame): Buffer {
  const document = Buffer.from(JSON.stringify(frame));
  const head = Buffer.alloc(4);
  head.writeUInt32LE(document.length);
  return Buffer.concat([head, document]);
}

/** Bytes of content that follow an entry. */
export function contentBytes(segments: readonly Segment[]): number {
  return segments.reduce((sum, [, length]) => sum + length, 0);
}

/** What is done with what the reader says. */
export interface FrameSink {
  entry(entry: FileEntry): Promise<void>;
  /** The next piece of the content of the entry before. */
  content(piece: Buffer): Promise<void>;
  problem(problem: Problem): void;
}

/** Takes frames out of a stream that comes in pieces. */
export function frameParser(sink: FrameSink): { push(chunk: Uint8Array): Promise<void>; end(): void } {
  let rest: Buffer = Buffer.alloc(0);
  let content = 0;
  let isWhole = false;
  const take = async (document: Buffer): Promise<void> => {
    const frame = frameOf(document);
    if (isWhole) throw broken('it went on after its end');
    if (frame.is === 'end') isWhole = true;
    else if (frame.is === 'problem') sink.problem(frame);
    else if (frame.is === 'failure') throw new GuestflowError('BackupUnusable', `the files in the backup cannot be read: ${frame.reason}`);
    else {
      mustStayBelow(frame.path);
      if (frame.kind === 'hardlink') mustStayBelow(frame.target ?? '..');
      content = contentBytes(frame.segments);
      await sink.entry(frame);
    }
  };
  return {
    async push(chunk) {
      rest = Buffer.concat([rest, chunk]);
      for (;;) {
        if (content > 0) {
          const piece = rest.subarray(0, content);
          if (piece.length === 0) return;
          [rest, content] = [rest.subarray(piece.length), content - piece.length];
          await sink.content(piece);
          continue;
        }
        const length = rest.length < 4 ? undefined : rest.readUInt32LE(0);
        if (length !== undefined && length > MOST_FRAME) throw broken('it said more at once than it may');
        if (length === undefined || rest.length < 4 + length) return;
        const document = rest.subarray(4, 4 + length);
        rest = rest.subarray(4 + length);
        await take(document);
      }
    },
    end() {
      if (!isWhole || rest.length > 0) throw broken('it ended before its end');
    },
  };
}

function frameOf(document: Buffer): Frame {
  try {
    return frameSchema.parse(JSON.parse(document.toString('utf8')));
  } catch {
    throw broken('it said what makes no sense');
  }
}

/** The reader has looked at each name: one that leads elsewhere says that somebody else speaks. */
function mustStayBelow(path: string): void {
  const isGood = path === '' || path.split('/').every((part) => part !== '' && part !== '.' && part !== '..');
  if (!isGood) throw broken('it said a path that leads elsewhere');
}

function broken(what: string): GuestflowError {
  return new GuestflowError('BackupUnusable', `the reader of the file system is not to be believed: ${what}`);
}
