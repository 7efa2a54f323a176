/** Everything on a fake dom0 as data, for comparing before and after. */
import { existsSync, lstatSync, readFileSync, readdirSync, readlinkSync } from 'node:fs';
import { fileOf } from './domains.ts';
import type { Machine } from './machine.ts';
import { EXTENT, labelsIn, type DomainState, type GuestFs } from './model.ts';

/** Where guestflow and Xen keep things. */
const KEPT = ['/etc/xen', '/home/xen', '/var/backups/guestflow', '/var/lib/guestflow'];
const TEXT_LIMIT = 16_384;

/** The cfg that a change keeps for its undo. Beside it are hashes, which say nothing more, and differ from guest to guest. */
function formerCfg(text: string): string {
  const { formerBase64 } = JSON.parse(text) as { formerBase64: string };
  return `former cfg: ${Buffer.from(formerBase64, 'base64').toString('latin1')}`;
}

function describe(machine: Machine, path: string): string {
  if (path.endsWith('.img')) {
    const content = machine.disk(path)?.content;
    return `image: ${content === undefined ? '' : [...labelsIn(content), content.fs?.damaged === true ? 'damaged' : '', content.swapUuid === undefined ? '' : 'swap'].filter((word) => word !== '').join(' ')}`;
  }
  const bytes = lstatSync(machine.at(path)).size;
  if (bytes > TEXT_LIMIT) return `${String(bytes)} bytes`;
  const text = readFileSync(machine.at(path), 'latin1');
  return path.endsWith('/former-cfg.json') ? formerCfg(text) : text;
}

function walk(machine: Machine, directory: string, files: Record<string, string>, directories: string[]): void {
  if (!existsSync(machine.at(directory))) return;
  directories.push(directory);
  for (const name of readdirSync(machine.at(directory)).sort()) {
    const path = `${directory}/${name}`;
    const kind = lstatSync(machine.at(path));
    if (kind.isSymbolicLink()) files[path] = `link: ${readlinkSync(machine.at(path))}`;
    else if (kind.isDirectory()) walk(machine, path, files, directories);
    else files[path] = describe(machine, path);
  }
}

/** Without guestflow's own key, which each guest has another one of, and without the day of the password. */
function accessOf(fs: GuestFs | undefined): Pick<DomainState['volumes'][number], 'access'> {
  const shadow = fs === undefined ? undefined : fileOf(fs, '/etc/shadow');
  if (fs === undefined || shadow === undefined) return {};
  const keys = (fileOf(fs, '/root/.ssh/authorized_keys') ?? '')
    .split('\n')
    .filter((line) => line !== '' && !/ guestflow-provision-\S+$/.test(line));
  return { access: { password: /^root:([^:\n]*)/m.exec(shadow)?.[1] ?? '', keys, hostname: (fileOf(fs, '/etc/hostname') ?? '').trim() } };
}

export function takeSnapshot(machine: Machine): DomainState {
  const { state } = machine;
  const files: Record<string, string> = {};
  const directories: string[] = [];
  for (const directory of KEPT) walk(machine, directory, files, directories);
  return {
    domains: state.domains.map(({ name, id, state: condition, disks }) => ({
      name,
      id,
      state: condition,
      disks: disks.map((disk) => disk.source),
    })),
    volumes: [...state.volumes]
      .sort((a, b) => (a.name < b.name ? -1 : 1))
      .map(({ name, extents, tags, origin, content, inactive, suspended }) => ({
        name,
        bytes: extents * EXTENT,
        tags: [...tags],
        ...(origin === undefined ? {} : { origin }),
        holds: content.fs?.type ?? (content.swapUuid === undefined ? 'nothing' : 'swap'),
        ...(content.fs === undefined ? {} : { label: content.fs.label }),
        damaged: content.fs?.damaged === true,
        ...accessOf(content.fs),
        residue: [...content.residue],
        ...(inactive === true ? { state: 'inactive' as const } : suspended === true ? { state: 'suspended' as const } : {}),
      })),
    loops: state.loops.map(({ name, file }) => ({ name, file })),
    mounts: state.mounts.map((mount) => ({ ...mount })),
    files,
    directories,
    freeBytes: machine.freeExtents() * EXTENT,
    freeResidue: [...state.freeResidue],
  };
}
