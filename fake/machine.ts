/** The fake dom0's one state, shared by all its handles: volumes, domains, loop devices in memory, files in a directory. */
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { EXTENT, emptyContent, type Content, type FakeDomain, type FakeState, type FakeVolume, type Place } from './model.ts';
import type { Conditions } from './faults.ts';
import { thinPoolVolume } from './lvm-thin.ts';

/** A fake dom0's size and place, with every default filled in. */
export interface MachineOptions {
  readonly directory: string;
  readonly host: string;
  readonly volumeGroup: string;
  readonly volumeGroupBytes: number;
  /** A thin pool in the volume group. Default: there is none. */
  readonly thinPool?: { readonly name: string; readonly bytes: number };
  readonly memoryMiB: number;
  readonly cpus: number;
  readonly maxLoop: number;
  /** Files can share their blocks, as on XFS. */
  readonly reflink: boolean;
  readonly speed: 'instant' | 'watchable';
  readonly kernel: 'mainline' | 'xenlinux';
  readonly network: { readonly cidr: string; readonly gateway: string; readonly bridge: string };
  /** Looks until a guest answers, and lists until a domain has gone, beside the seconds of `speed`. */
  readonly bootPolls: number;
  readonly shutdownPolls: number;
  readonly seed: number;
}

/** Memory that the hypervisor and dom0 keep for themselves. */
export const DOM0_MEMORY_MIB = 512;
export const KERNEL_RELEASE = '6.1.0-49-amd64';

/** First bytes of a fake image: its content follows as JSON, so that it moves with the file. */
const IMAGE_MAGIC = 'guestflow-fake-image\n';
const STATE_FILE = '.fake-dom0.json';

export class Machine {
  readonly options: MachineOptions;
  readonly conditions: Conditions;
  readonly state: FakeState;

  constructor(options: MachineOptions, conditions: Conditions) {
    this.options = options;
    this.conditions = conditions;
    this.state = this.load() ?? {
      volumeGroup: options.volumeGroup,
      // LVM keeps the first MiB of a physical volume for its metadata.
      totalExtents: Math.floor((options.volumeGroupBytes - 2 ** 20) / EXTENT),
      volumes: options.thinPool === undefined ? [] : [thinPoolVolume(options.thinPool)],
      freeResidue: [],
      freed: [],
      nextExtent: 0,
      domains: [],
      loops: [],
      mounts: [],
      nextDomainId: 1,
      nextMinor: options.thinPool === undefined ? 0 : 1,
      random: options.seed,
    };
  }

  /** Where a path of the dom0 is on the disk of the machine that plays it. */
  at(path: string): string {
    return join(this.options.directory, path);
  }

  now(): number {
    return Date.now();
  }

  /** The next number, 0 to 1, of a sequence that the seed decides (mulberry32). */
  random(): number {
    this.state.random = (this.state.random + 0x6d2b79f5) | 0;
    let t = this.state.random;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  }

  hex(digits: number): string {
    return Array.from({ length: digits }, () => Math.floor(this.random() * 16).toString(16)).join('');
  }

  uuid(): string {
    return `${this.hex(8)}-${this.hex(4)}-4${this.hex(3)}-8${this.hex(3)}-${this.hex(12)}`;
  }

  volume(name: string): FakeVolume | undefined {
    return this.state.volumes.find((volume) => volume.name === name);
  }

  /** The volume behind `/dev/<vg>/<name>`. One that is not active has no device. */
  volumeOfDevice(device: string): FakeVolume | undefined {
    const prefix = `/dev/${this.state.volumeGroup}/`;
    const volume = device.startsWith(prefix) ? this.volume(device.slice(prefix.length)) : undefined;
    return volume?.inactive === true ? undefined : volume;
  }

  /** Volumes that a domain, a mount or a loop device keeps open. */
  isOpen(volume: FakeVolume): boolean {
    return this.usersOf(`/dev/${this.state.volumeGroup}/${volume.name}`).length > 0;
  }

  /** What uses a device or image. */
  usersOf(source: string): string[] {
    return [
      ...this.state.domains.filter((domain) => domain.disks.some((disk) => disk.source === source)).map((domain) => domain.name),
      ...this.state.mounts.filter((mount) => mount.source === source).map((mount) => mount.target),
    ];
  }

  freeExtents(): number {
    if (this.conditions.vgFull) return 0;
    return (
      this.state.totalExtents - this.state.volumes.reduce((sum, { thinPool, extents }) => sum + (thinPool === undefined ? extents : 0), 0)
    );
  }

  /** Extents that nobody had before. */
  place(count: number): Place {
    const first = this.state.nextExtent;
    this.state.nextExtent += count;
    return { first, count };
  }

  freeMemoryMiB(): number {
    const taken = this.state.domains.reduce((sum, domain) => sum + domain.memoryMiB + (domain.pagingMiB ?? 0), 0);
    return this.options.memoryMiB - DOM0_MEMORY_MIB - taken;
  }

  domainById(id: number): FakeDomain | undefined {
    return this.state.domains.find((domain) => domain.id === id);
  }

  /** What a device or image holds, and how to keep a change of it; undefined when there is no such thing. */
  disk(path: string): { content: Content; bytes: number; save: () => void } | undefined {
    const volume = this.volumeOfDevice(path);
    if (volume !== undefined) return { content: volume.content, bytes: volume.extents * EXTENT, save: () => undefined };
    const file = this.at(path);
    if (!existsSync(file) || !statSync(file).isFile()) return undefined;
    const bytes = statSync(file).size;
    const content = readImage(file);
    return {
      content,
      bytes,
      save: () => {
        writeImage(file, content, bytes);
      },
    };
  }

  makeImage(path: string, bytes: number, content: Content): void {
    mkdirSync(dirname(this.at(path)), { recursive: true });
    writeImage(this.at(path), content, bytes);
  }

  /** Why a file cannot be written just now, in the words of the C library. */
  writeProblem(): string | undefined {
    if (this.conditions.readOnlyFs) return 'Read-only file system';
    return this.conditions.diskFull ? 'No space left on device' : undefined;
  }

  readText(path: string): string | undefined {
    return existsSync(this.at(path)) ? readFileSync(this.at(path), 'latin1') : undefined;
  }

  writeText(path: string, text: string, mode = 0o644): void {
    mkdirSync(dirname(this.at(path)), { recursive: true });
    writeFileSync(this.at(path), text, { encoding: 'latin1', mode });
  }

  appendText(path: string, text: string): void {
    this.writeText(path, (this.readText(path) ?? '') + text);
  }

  /** Keeps the state beside the files, so that a simulated dom0 outlives the process that plays it. */
  save(): void {
    const file = this.at(STATE_FILE);
    const handle = openSync(`${file}.new`, 'w');
    writeSync(handle, JSON.stringify(this.state));
    fsyncSync(handle);
    closeSync(handle);
    renameSync(`${file}.new`, file);
  }

  private load(): FakeState | undefined {
    const file = this.at(STATE_FILE);
    return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as FakeState) : undefined;
  }
}

/** The content of a fake image; a file that is none counts as a disk of zeros. */
export function readImage(file: string): Content {
  const handle = openSync(file, 'r');
  try {
    const head = Buffer.alloc(65_536);
    const text = head.toString('utf8', 0, readSync(handle, head, 0, head.length, 0));
    if (!text.startsWith(IMAGE_MAGIC)) return emptyContent();
    return JSON.parse(text.slice(IMAGE_MAGIC.length, text.indexOf('\0'))) as Content;
  } finally {
    closeSync(handle);
  }
}

function writeImage(file: string, content: Content, bytes: number): void {
  writeFileSync(file, `${IMAGE_MAGIC}${JSON.stringify(content)}\0`);
  // A sparse file of the size that the guest's disk has; never smaller than what was just written.
  truncateSync(file, Math.max(bytes, statSync(file).size));
}
