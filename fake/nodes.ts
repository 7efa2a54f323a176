/** Entries of /dev, /proc and /sys that follow the fake's state and are no files. */
import type { FileInfo } from '../system/host.ts';
import type { Machine } from './machine.ts';
import { vifCounter, vifList } from './vifs.ts';

function nodeInfo(kind: FileInfo['kind']): FileInfo {
  return {
    kind,
    bytes: 0,
    allocatedBytes: 0,
    modifiedAt: new Date(0),
    mode: kind === 'block' ? 0o660 : kind === 'directory' ? 0o755 : 0o777,
  };
}

/** As on a real dom0, a volume's device is a link to its /dev/dm-N. */
export function infoOf(machine: Machine, path: string): FileInfo | undefined {
  const { state } = machine;
  if (machine.volumeOfDevice(path) !== undefined) return nodeInfo('symlink');
  if (path === `/dev/${state.volumeGroup}` && state.volumes.length > 0) return nodeInfo('directory');
  const minor = /^\/dev\/dm-(\d+)$/.exec(path)?.[1];
  if (minor !== undefined && state.volumes.some((volume) => volume.minor === Number(minor) && volume.inactive !== true))
    return nodeInfo('block');
  return state.loops.some((loop) => loop.name === path) ? nodeInfo('block') : undefined;
}

export function linkOf(machine: Machine, path: string): string | undefined {
  const volume = machine.volumeOfDevice(path);
  return volume === undefined ? undefined : `../dm-${String(volume.minor)}`;
}

export function listOf(machine: Machine, path: string): string[] | undefined {
  if (path !== `/dev/${machine.state.volumeGroup}`) return vifList(machine, path);
  return machine.state.volumes.filter((volume) => volume.inactive !== true).map((volume) => volume.name);
}

export function textOf(machine: Machine, path: string): Buffer | undefined {
  if (path !== '/proc/self/mountinfo') return vifCounter(machine, path);
  const escaped = (text: string): string =>
    text.replaceAll(/[ \t\n\\]/g, (character) => `\\${character.charCodeAt(0).toString(8).padStart(3, '0')}`);
  const rows = machine.state.mounts.map(
    ({ source, target }, index) => `${String(40 + index)} 27 7:${String(index)} / ${escaped(target)} rw,relatime - ext4 ${source} rw\n`,
  );
  return Buffer.from(`27 1 254:1 / / rw,relatime - ext4 /dev/vda rw\n22 27 0:21 / /proc rw,relatime - proc proc rw\n${rows.join('')}`);
}
