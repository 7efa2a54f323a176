/** The reader of a file system, which runs in the cage: a request in its arguments, frames on its standard output. */
import { writeSync } from 'node:fs';
import { FileSystem } from './ext4/file-system.ts';
import { ImageProblem, Unreadable } from './ext4/image.ts';
import { contentBytes, frameBytes, type Request } from './frames.ts';
import { Walk } from './walk.ts';

/** How the reader is asked: after this word, the image's path and the request. */
export const READER_WORD = 'read-image';

const STDOUT = 1;
const REST_MS = 2;
/** Never changes: whoever waits for it rests. */
const NOTHING = new Int32Array(new SharedArrayBuffer(4));

/** Waits while the pipe is full. */
function write(bytes: Buffer): void {
  let done = 0;
  while (done < bytes.length) {
    try {
      done += writeSync(STDOUT, bytes, done);
    } catch (error) {
      // Node has made its output one that does not wait.
      if (!(error instanceof Error) || !('code' in error) || error.code !== 'EAGAIN') throw error;
      Atomics.wait(NOTHING, 0, 0, REST_MS);
    }
  }
}

/** @param request as JSON in base64 */
export function runReader(image: string, request: string): void {
  try {
    const asked = JSON.parse(Buffer.from(request, 'base64').toString('utf8')) as Request;
    for (const { frame, content = [] } of new Walk(new FileSystem(image)).say(asked)) {
      write(frameBytes(frame));
      let left = frame.is === 'entry' ? contentBytes(frame.segments) : 0;
      for (const piece of content) {
        left -= piece.length;
        write(piece);
      }
      if (left !== 0) throw new ImageProblem('a file has not the content that it said');
    }
  } catch (error) {
    // What is half said cannot be taken back: whoever listens finds that there is no end.
    if (!(error instanceof ImageProblem) && !(error instanceof Unreadable)) throw error;
    write(frameBytes({ is: 'failure', reason: error.message }));
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 1;
  }
}
