/** What uses images: loop devices and mounts that were left when an image was made. */
import type { Thing } from '../inventory/thing.ts';
import type { Owner } from '../marks.ts';
import { listLoopDevices } from '../tools/loop.ts';
import type { Work } from '../work.ts';
import { mountsBelow } from './xen-tools.ts';

/** Loop devices and mounts on the images among these directories. */
export async function usersOfImages({ host, settings }: Work, images: readonly Thing[]): Promise<Thing[]> {
  const ownerOf = (path: string): Owner | undefined => images.find(({ where }) => path.startsWith(`${where}/`))?.owner;
  const loops = (await listLoopDevices(host)).map(({ device, file }): Thing => ({
    kind: 'user',
    where: `loop device ${device} on ${file}`,
    owner: ownerOf(file),
  }));
  const mountinfo = String((await host.files.read('/proc/self/mountinfo')) ?? '');
  const mounts = mountsBelow(mountinfo, settings.imageDir).map((point): Thing => ({
    kind: 'user',
    where: `mount ${point}`,
    owner: ownerOf(point),
  }));
  return [...loops, ...mounts];
}
