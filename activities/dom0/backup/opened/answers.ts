/** What is said in answer to one question about an unpacked backup: rows of a directory, a file, or a tar. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { WebSocket } from 'ws';
import { MOST_ROWS, type AnswerWord, type FilesEnd, type FilesQuestion, type FilesRow } from '../../../../contract/backup-files.ts';
import { CONSOLE_BYTES } from '../../../../contract/console.ts';
import type { FileEntry, FrameSink, Problem, Request } from '../files/frames.ts';
import { TAR_END, tarSink } from '../files/tar.ts';
import type { Segment } from '../files/ext4/file-system.ts';

/** Why there is no answer. */
export class Unanswerable extends Error {
  readonly end: FilesEnd;

  constructor(end: 'none' | 'unreadable') {
    super(end);
    this.name = 'Unanswerable';
    this.end = end;
  }
}

export interface AnswerWith {
  readonly read: (reading: { readonly request: Request; readonly sink: FrameSink }) => Promise<void>;
  readonly signal: AbortSignal;
  readonly bytesPerSecond: number;
}

/** Says the answer over a connection. @throws Unanswerable; what reading throws */
export async function answerFrom(
  socket: WebSocket,
  { what, path }: { readonly what: FilesQuestion; readonly path: string },
  { read, signal, bytesPerSecond }: AnswerWith,
): Promise<void> {
  const out = new Out(socket, signal, bytesPerSecond);
  if (what === 'list') await list(out, path, read);
  else if (what === 'file') await file(out, path, read);
  else await tar(out, path, read);
}

/** Sends the next piece when the one before has left this machine: who does not read has the reader wait, and nothing else. */
class Out {
  private readonly socket: WebSocket;
  private readonly signal: AbortSignal;
  private readonly bytesPerSecond: number;

  constructor(socket: WebSocket, signal: AbortSignal, bytesPerSecond: number) {
    this.socket = socket;
    this.signal = signal;
    this.bytesPerSecond = bytesPerSecond;
  }

  async say(word: AnswerWord): Promise<void> {
    await this.send(JSON.stringify(word), false);
  }

  async write(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length; at += CONSOLE_BYTES.printed) {
      const piece = bytes.subarray(at, at + CONSOLE_BYTES.printed);
      await this.send(piece, true);
      await sleep((piece.length / this.bytesPerSecond) * 1_000, undefined, { ref: false });
    }
  }

  private async send(data: string | Uint8Array, binary: boolean): Promise<void> {
    this.signal.throwIfAborted();
    await new Promise<void>((resolve, reject) => {
      this.socket.send(data, { binary }, (error) => (error instanceof Error ? reject(error) : resolve()));
    });
  }
}

/** Rows of one message: with the longest names, of bytes that JSON writes long, they fit into one. */
const ROWS_AT_ONCE = 20;

async function list(out: Out, path: string, read: AnswerWith['read']): Promise<void> {
  let rows: FilesRow[] = [];
  let count = 0;
  const flush = async (): Promise<void> => {
    if (rows.length > 0) await out.say({ rows });
    rows = [];
  };
  const sink: FrameSink = {
    async entry(entry) {
      // Asked for something that is no directory, the reader says that thing.
      if (entry.path === path) throw new Unanswerable('none');
      if ((count += 1) > MOST_ROWS) throw new Unanswerable('unreadable');
      rows.push(rowOf(entry));
      if (rows.length >= ROWS_AT_ONCE) await flush();
    },
    content: noContent,
    problem: ({ path: at }) => {
      if (at === path) throw new Unanswerable('none');
    },
  };
  await read({ request: { what: 'list', paths: [path] }, sink });
  await flush();
}

function rowOf({ path, kind, size, mtime: [modifiedAt] }: FileEntry): FilesRow {
  const shown = kind === 'hardlink' ? 'file' : kind === 'file' || kind === 'directory' || kind === 'symlink' ? kind : 'other';
  return { name: path.slice(path.lastIndexOf('/') + 1), kind: shown, bytes: size, modifiedAt };
}

function noContent(): Promise<void> {
  return Promise.reject(new Unanswerable('unreadable'));
}

/** What could not be read is not passed over: the answer ends before its end. */
function mustBeWhole({ isLoss }: Problem): void {
  if (isLoss) throw new Unanswerable('unreadable');
}

const ZEROS = Buffer.alloc(CONSOLE_BYTES.printed);

/** A file as it is read: holes as zeros. */
async function file(out: Out, path: string, read: AnswerWith['read']): Promise<void> {
  let size: number | undefined;
  let segments: Segment[] = [];
  let at = 0;
  const zerosTo = async (end: number): Promise<void> => {
    for (; at < end; at += ZEROS.length) await out.write(ZEROS.subarray(0, end - at));
    at = end;
  };
  const sink: FrameSink = {
    async entry(entry) {
      if (entry.kind !== 'file' || entry.path !== path) throw new Unanswerable('none');
      size = entry.size;
      segments = [...entry.segments];
      await out.say({ file: size });
    },
    async content(piece) {
      for (let rest = piece; rest.length > 0;) {
        const [offset, length] = segments[0] ?? [0, 0];
        if (length === 0) throw new Unanswerable('unreadable');
        await zerosTo(offset);
        const part = rest.subarray(0, length);
        await out.write(part);
        at += part.length;
        rest = rest.subarray(part.length);
        segments = length === part.length ? segments.slice(1) : [[offset + part.length, length - part.length], ...segments.slice(1)];
      }
    },
    problem: (problem) => {
      if (size === undefined) throw new Unanswerable('none');
      mustBeWhole(problem);
    },
  };
  await read({ request: { what: 'read', paths: [path] }, sink });
  if (size === undefined) throw new Unanswerable('none');
  await zerosTo(size);
}

async function tar(out: Out, path: string, read: AnswerWith['read']): Promise<void> {
  let isFirst = true;
  const inner = tarSink((bytes) => out.write(bytes), mustBeWhole);
  const sink: FrameSink = {
    async entry(entry) {
      if (isFirst) {
        if (entry.kind !== 'directory' || entry.path !== path) throw new Unanswerable('none');
        await out.say({ tar: true });
      }
      isFirst = false;
      await inner.entry(entry);
    },
    content: (piece) => inner.content(piece),
    problem: (problem) => {
      if (isFirst) throw new Unanswerable('none');
      inner.problem(problem);
    },
  };
  await read({ request: { what: 'read', paths: [path] }, sink });
  await out.write(TAR_END);
}
