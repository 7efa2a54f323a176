/** One answer about an opened backup, as it comes from the dom0: believed in nothing, and read no faster than it is taken. */
import type { RawData, WebSocket } from 'ws';
import { z } from 'zod';
import { filesEnd, MOST_ROWS, type AnswerWord, type FilesEnd, type FilesRow } from '../../contract/backup-files.ts';
import { OPEN } from '../console/greeting.ts';
import { parsedJson } from '../../system/parsed-json.ts';

/** The content of a file, or a tar. */
export interface Content {
  /** Of a file. A tar's are not known before. */
  readonly bytes?: number;
  /** Fails when it ends before its end. */
  readonly body: ReadableStream<Uint8Array>;
}

/** Why there is no answer. */
export class NoAnswer extends Error {
  readonly end: FilesEnd;

  constructor(end: FilesEnd) {
    super(end);
    this.name = 'NoAnswer';
    this.end = end;
  }
}

const count = z.int().min(0);
const wordSchema: z.ZodType<AnswerWord> = z.union([
  z.strictObject({
    rows: z
      .array(
        z.strictObject({
          // One name in a directory, as bytes: what would lead elsewhere is none.
          name: z
            .string()
            .min(1)
            .max(255)
            .refine((name) => !/[/\0]/.test(name) && name !== '.' && name !== '..' && !/[^\0-\u00ff]/.test(name)),
          kind: z.enum(['file', 'directory', 'symlink', 'other']),
          bytes: count,
          modifiedAt: z.int(),
        }),
      )
      .max(MOST_ROWS),
  }),
  z.strictObject({ file: count }),
  z.strictObject({ tar: z.literal(true) }),
]);

/** What comes over the connection, piece by piece. */
interface Listener {
  readonly word: (word: AnswerWord) => void;
  readonly content: (bytes: Buffer) => void;
  readonly end: (end: FilesEnd) => void;
}

function listen(socket: WebSocket, { word, content, end }: Listener): void {
  socket.on('message', (data: RawData, isBinary: boolean) => {
    if (!Buffer.isBuffer(data)) return;
    if (isBinary) {
      content(data);
      return;
    }
    const said = wordSchema.safeParse(parsedJson(data.toString('utf8')));
    if (said.success) word(said.data);
    else socket.terminate();
  });
  socket.once('close', (_code: number, reason: Buffer) => end(filesEnd(reason.toString('utf8'))));
  socket.send(OPEN);
  socket.resume();
}

/** @throws NoAnswer */
export async function rowsFrom(socket: WebSocket): Promise<FilesRow[]> {
  const rows: FilesRow[] = [];
  const end = await new Promise<FilesEnd>((resolve) => {
    listen(socket, {
      word: (said) => {
        if (!('rows' in said) || rows.length + said.rows.length > MOST_ROWS) socket.terminate();
        else rows.push(...said.rows);
      },
      content: () => socket.terminate(),
      end: resolve,
    });
  });
  if (end !== 'done') throw new NoAnswer(end);
  return rows;
}

/** Bytes that may wait for who reads. */
const HIGH_BYTES = 262_144;

/** Returns when the content begins. @throws NoAnswer */
export async function contentFrom(socket: WebSocket): Promise<Content> {
  return await new Promise<Content>((resolve, reject) => {
    let bytes: number | undefined;
    let came = 0;
    let isGone = false;
    let stream: ReadableStreamDefaultController<Uint8Array> | undefined;
    const begin = (): void => {
      const body = new ReadableStream<Uint8Array>(
        {
          start: (controller) => {
            stream = controller;
          },
          pull: () => socket.resume(),
          cancel: () => {
            // What has come already is still told.
            isGone = true;
            socket.terminate();
          },
        },
        new ByteLengthQueuingStrategy({ highWaterMark: HIGH_BYTES }),
      );
      resolve(bytes === undefined ? { body } : { bytes, body });
    };
    listen(socket, {
      word: (said) => {
        if (stream !== undefined || 'rows' in said) socket.terminate();
        else {
          bytes = 'file' in said ? said.file : undefined;
          begin();
        }
      },
      content: (piece) => {
        if (isGone) return;
        came += piece.length;
        if (stream === undefined || (bytes !== undefined && came > bytes)) socket.terminate();
        else {
          stream.enqueue(piece);
          if ((stream.desiredSize ?? 0) <= 0) socket.pause();
        }
      },
      end: (end) => {
        if (stream === undefined) reject(new NoAnswer(end));
        else if (!isGone) finish(stream, end === 'done' && (bytes === undefined || came === bytes) ? undefined : end);
      },
    });
  });
}

/** What ends before its end is broken off: nobody takes it for whole. */
function finish(stream: ReadableStreamDefaultController<Uint8Array>, end: FilesEnd | undefined): void {
  if (end === undefined) stream.close();
  else stream.error(new NoAnswer(end));
}
