/** Names of released disks. A release frees the guest's own names at once; the room is free when the disk has gone. */

/** A disk, as far as its name goes. */
interface Named {
  readonly name: string;
}

const PREFIX = 'del-';

export function isReleasedName(name: string): boolean {
  return name.startsWith(PREFIX);
}

/** The name of a released disk: `del-NAME`; if an earlier order has left one of that name, `del-NAME.2` and so on. */
export function releasedName(name: string, disks: readonly Named[]): string {
  const plain = `${PREFIX}${name}`;
  const isTaken = (candidate: string): boolean => disks.some((disk) => disk.name === candidate);
  if (!isTaken(plain)) return plain;
  let number = 2;
  while (isTaken(`${plain}.${number}`)) number += 1;
  return `${plain}.${number}`;
}

/** Whether a disk was `name` before it was released. */
export function hasReleasedName(disk: Named, name: string): boolean {
  const plain = `${PREFIX}${name}`;
  return disk.name === plain || (disk.name.startsWith(`${plain}.`) && /^\d+$/.test(disk.name.slice(plain.length + 1)));
}
