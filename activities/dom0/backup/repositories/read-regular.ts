/** Small files of a directory that anybody may have written. */
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';

/** What is in a file; undefined when it is a link, no regular file, larger than `mostBytes`, or cannot be read. */
export async function readRegular(path: string, mostBytes: number): Promise<Buffer | undefined> {
  const handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK).catch(() => undefined);
  if (handle === undefined) return undefined;
  try {
    const found = await handle.stat();
    if (!found.isFile() || found.size > mostBytes) return undefined;
    const buffer = Buffer.alloc(found.size);
    let length = 0;
    for (let read = -1; read !== 0 && length < buffer.length; length += read)
      ({ bytesRead: read } = await handle.read(buffer, length, buffer.length - length, length));
    return buffer.subarray(0, length);
  } catch {
    return undefined;
  } finally {
    await handle.close();
  }
}
