/** Copies of used blocks, and debugfs, of the fake dom0. An image is a small text: the model of the file system. */
import type { Writer } from './dump.ts';
import { E2FSPROGS } from './ext4.ts';
import type { Machine } from './machine.ts';
import type { Content, GuestFs } from './model.ts';

const MAGIC = 'guestflow-fake-image\n';
const PARTS = 8;

/** The used blocks of a device. The journal is copied as it is, so what is only in the journal is only there in the image, too. */
export function* image(machine: Machine, device: string): Writer {
  const fs = machine.disk(device)?.content.fs;
  if (fs === undefined) {
    const why = machine.disk(device) === undefined ? 'No such file or directory' : 'Bad magic number in super-block';
    return { code: 1, stderr: `${why} while trying to open ${device}\n` };
  }
  const text = imageOf(fs);
  const size = Math.ceil(text.length / PARTS);
  for (let part = 0; part < PARTS; part += 1) yield { done: part / PARTS, bytes: text.subarray(part * size, (part + 1) * size) };
  return { code: 0, stderr: `read ${String(text.length)}\n` };
}

/** What can be read on a disk, and how that is kept. */
interface Target {
  readonly content: Content;
  readonly save: () => void;
}

/** Puts an image onto a disk. Bytes that are no image change nothing. */
export function writeImage({ content, save }: Target, image: Uint8Array): void {
  const text = Buffer.from(image).toString('utf8');
  if (text.startsWith(MAGIC)) content.fs = JSON.parse(text.slice(MAGIC.length)) as GuestFs;
  save();
}

/** What an image of a file system holds. */
export function imageOf(fs: GuestFs | undefined): Buffer {
  return Buffer.from(`${MAGIC}${JSON.stringify(fs)}`);
}

/** Whether a disk holds what an image holds. */
export function isImageOf(target: Target | undefined, image: Uint8Array): boolean {
  return imageOf(target?.content.fs).equals(image);
}

/** As a copy that was ended in its middle. */
export function writeHalf(target: Target, image: Uint8Array): void {
  writeImage(target, image);
  if (target.content.fs !== undefined) target.content.fs.damaged = true;
  target.save();
}

/** `debugfs -R 'filefrag -r /' DEVICE`. */
export function* names(machine: Machine, device: string): Writer {
  const fs = machine.disk(device)?.content.fs;
  const banner = `debugfs ${E2FSPROGS}\n`;
  if (fs === undefined) return { code: 0, stderr: `${banner}debugfs: Bad magic number in super-block while trying to open ${device}\n` };
  const lines = Object.keys(fs.files).map((path) => `/${path}: 1 contiguous extents\n`);
  yield { done: 0, bytes: Buffer.from(lines.join('')) };
  return { code: 0, stderr: banner };
}
