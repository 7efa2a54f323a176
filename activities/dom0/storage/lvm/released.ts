/** Names of released volumes. A release frees the guest's own names at once; the room is free after the wipe. */
import type { Volume } from './reports.ts';

const PREFIX = 'del-';

export function isReleasedName(name: string): boolean {
  return name.startsWith(PREFIX);
}

/** The name of a released volume: `del-NAME`; if an earlier order has left one of that name, `del-NAME.2` and so on. */
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
