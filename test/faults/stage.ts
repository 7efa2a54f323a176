/** Stages of an order: the dom0 before each activity of the tape, kept on disk, so that a case can begin at any of them. */
import {
  closeSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  readSync,
  renameSync,
  rmdirSync,
  rmSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import type { DomainState, FakeCall } from '../../fake/index.ts';
import { perform } from './perform.ts';
import { scratch } from './scratch.ts';
import type { Entry } from './tape.ts';
import { World } from './world.ts';

export interface Stage {
  /** The dom0 before the entries' next one. */
  readonly directory: string;
  readonly snapshot: DomainState;
  /** Its time, in milliseconds: it goes on from there, not back. */
  readonly atMs: number;
}

/** An entry run once, undisturbed. */
export interface Rehearsal {
  readonly entry: Entry;
  readonly from: Stage;
  readonly calls: readonly FakeCall[];
  readonly after: Stage;
}

/** Images are sparse, and what is in them is at their start. */
const HEAD_BYTES = 65_536;
/** Programs, kernels and what the kernel shows of itself: no step changes them, and all copies of a dom0 share them. */
const SHARED = ['usr', 'lib', 'boot', 'sys', 'proc'];

function copyHead(from: string, to: string, bytes: number, mode: number): void {
  const handle = openSync(from, 'r');
  const head = Buffer.alloc(HEAD_BYTES);
  const read = readSync(handle, head, 0, HEAD_BYTES, 0);
  closeSync(handle);
  writeFileSync(to, head.subarray(0, read), { mode });
  truncateSync(to, bytes);
}

function copyTree(from: string, to: string): void {
  mkdirSync(to, { recursive: true, mode: lstatSync(from).mode & 0o7777 });
  for (const entry of readdirSync(from, { withFileTypes: true })) {
    const [source, target] = [`${from}/${entry.name}`, `${to}/${entry.name}`];
    if (entry.isDirectory()) copyTree(source, target);
    else if (entry.isSymbolicLink()) symlinkSync(readlinkSync(source), target);
    else {
      const { size, mode } = lstatSync(source);
      if (source.endsWith('.img')) copyHead(source, target, size, mode & 0o7777);
      else writeFileSync(target, readFileSync(source), { mode: mode & 0o7777 });
    }
  }
}

/** As `rmSync` does, without its looks at what each entry is: there are hundreds of thousands of them. */
function removeTree(directory: string): void {
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    const path = `${directory}/${entry.name}`;
    if (entry.isDirectory()) removeTree(path);
    else unlinkSync(path);
  }
  rmdirSync(directory);
}

/** Each file below a directory, with what is in it. */
function contentsOf(directory: string): string {
  const files = readdirSync(directory, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return JSON.stringify(files.map(({ parentPath, name }) => [parentPath, name, readFileSync(join(parentPath, name), 'latin1')]).sort());
}

export class Stages {
  private readonly root = mkdtempSync(join(scratch(), 'stages-'));
  private readonly shared = join(this.root, 'shared');
  /** What is in there. */
  private sharedContents: string | undefined;
  private count = 0;

  private nextDirectory(): string {
    this.count += 1;
    return join(this.root, String(this.count));
  }

  /** Keeps a world as it is now. */
  keep(world: World): Stage {
    world.dom0.machine.save();
    const directory = this.nextDirectory();
    copyTree(world.dom0.machine.options.directory, directory);
    this.share(directory);
    return { directory, snapshot: world.snapshot(), atMs: Date.now() + world.clock.aheadMs };
  }

  /** Moves what all copies share out of the first stage, and links to it. */
  private share(directory: string): void {
    if (this.sharedContents !== undefined) return;
    mkdirSync(this.shared);
    for (const name of SHARED) {
      renameSync(join(directory, name), join(this.shared, name));
      symlinkSync(join(this.shared, name), join(directory, name));
    }
    this.sharedContents = contentsOf(this.shared);
  }

  /** Runs `work` on a copy of a stage. */
  async on<T>(stage: Stage, host: string, work: (world: World) => Promise<T>): Promise<T> {
    const directory = this.nextDirectory();
    copyTree(stage.directory, directory);
    const world = await World.create(host, { directory });
    world.clock.aheadMs = Math.max(0, stage.atMs - Date.now());
    try {
      return await work(world);
    } finally {
      world.close();
      removeTree(directory);
    }
  }

  /** Runs entries one after the other, keeping the stage before each. */
  async rehearse(from: Stage, host: string, entries: readonly Entry[]): Promise<Rehearsal[]> {
    return this.on(from, host, async (world) => {
      const rehearsals: Rehearsal[] = [];
      let stage = from;
      for (const entry of entries) {
        world.dom0.faults.restart();
        const first = world.dom0.calls.length;
        const outcome = await perform(world, entry);
        if (!outcome.isOk) throw outcome.error;
        const after = this.keep(world);
        rehearsals.push({ entry, from: stage, calls: world.dom0.calls.slice(first), after });
        stage = after;
      }
      return rehearsals;
    });
  }

  /**
   * Removes them all.
   *
   * @throws Error when something was changed that all of them shared
   */
  close(): void {
    const isChanged = this.sharedContents !== undefined && contentsOf(this.shared) !== this.sharedContents;
    rmSync(this.root, { recursive: true, force: true });
    if (isChanged) throw new Error(`a step has changed something below ${SHARED.join(', ')}: the copies of a dom0 share these`);
  }
}
