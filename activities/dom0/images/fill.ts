/** Puts the content of a guest's image on its disk. */
import { formatSize } from '../../../contract/sizes.ts';
import { guestPaths } from '../guest-paths.ts';
import { copyImage } from '../tools/copy.ts';
import { checkFs, growFs, makeSwap } from '../tools/ext4.ts';
import type { Work } from '../work.ts';

/** Copies the image onto the device, which reads as zeros, then checks the file system and grows it to the device's size. */
export async function fillFromImage(
  work: Work,
  guest: string,
  { device, imageBytes }: { readonly device: string; readonly imageBytes: number },
): Promise<void> {
  const { host, settings, signal } = work;
  const source = guestPaths(settings, guest).diskImage;
  await checkFs(host, source, { signal });
  await copyImage(host, {
    source,
    device,
    bytes: imageBytes,
    targetIsZero: true,
    signal,
    onProgress: (bytes) => {
      work.progress(`copying the image: ${formatSize(bytes)} of ${formatSize(imageBytes)}`, bytes / imageBytes);
    },
  });
  work.progress(`checking ${device}`);
  await checkFs(host, device, { signal });
  await growFs(host, device, { signal });
}

export async function makeSwapOn({ host }: Work, device: string): Promise<void> {
  await makeSwap(host, device);
}
