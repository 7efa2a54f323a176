/** Names of volumes that are out of their guest's hands: its own names are free for the next guest at once, the room when they are wiped. */
import type { Volume } from './lvm.ts';

const PREFIX = 'del-';

export function isReleasedName(name: string): boolean {
  return name.startsWith(PREFIX);
}

/** The name of a volume on its way out: `del-NAME`, and `del-NAME.2` and so on where an earlier order of this name has left one. */
export function releasedName(name: string, volumes: readonly Volume[]): string {
  const plain = `${PREFIX}${name}`;
  const isTaken = (candidate: string): boolean => volumes.some((volume) => volume.name === candidate);
  if (!isTaken(plain)) return plain;
  let number = 2;
  while (isTaken(`${plain}.${number}`)) number += 1;
  return `${plain}.${number}`;
}

/** Whether a volume was `name` before it was released. */
export function hasReleasedName(volume: Volume, name: string): boolean {
  const plain = `${PREFIX}${name}`;
  return volume.name === plain || (volume.name.startsWith(`${plain}.`) && /^\d+$/.test(volume.name.slice(plain.length + 1)));
}
