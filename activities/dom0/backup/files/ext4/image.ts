/**
 * The image of a tenant's file system, read by offset. Whoever wrote it may have meant harm: every read stays within the image, and all reads together
 * within a multiple of its size, so that blocks that stand for each other in circles end.
 *
 * All of the reader is synchronous: it runs in a process of its own that does nothing else.
 */
import { fstatSync, openSync, readSync } from 'node:fs';

/** What the reader cannot read, in words to follow the name of a file. */
export class Unreadable extends Error {
  override readonly name = 'Unreadable';
}

/** The image cannot be read any further. */
export class ImageProblem extends Error {
  override readonly name = 'ImageProblem';
}

/** Metadata and content are read once each; names in a large tree are looked up more than once. */
const READ_AT_MOST = 4;
/** What a small image may cost anyway. */
const READ_ANYWAY = 64 * 2 ** 20;

export class Image {
  readonly bytes: number;
  private readonly file: number;
  private left: number;

  constructor(path: string) {
    this.file = openSync(path, 'r');
    this.bytes = fstatSync(this.file).size;
    this.left = this.bytes * READ_AT_MOST + READ_ANYWAY;
  }

  /** @throws Unreadable outside of the image; ImageProblem when more was read than a file system of this size has */
  read(offset: number, length: number): Buffer {
    if (!Number.isSafeInteger(offset) || offset < 0 || length < 0 || offset + length > this.bytes)
      throw new Unreadable('points outside of the file system');
    this.left -= length;
    if (this.left < 0) throw new ImageProblem('the file system says that it holds many times what fits into it: it was made to');
    const buffer = Buffer.alloc(length);
    for (let done = 0; done < length;) {
      const read = readSync(this.file, buffer, done, length - done, offset + done);
      if (read === 0) throw new ImageProblem('the image ends before its end');
      done += read;
    }
    return buffer;
  }
}
