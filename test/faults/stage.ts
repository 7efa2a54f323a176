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
  rmSync,
  symlinkSync,
  truncateSync,
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
    const [source, target] = [join(from, entry.name), join(to, entry.name)];
    if (entry.isDirectory()) copyTree(source, target);
    else if (entry.isSymbolicLink()) symlinkSync(readlinkSync(source), target);
    else {
      const { size, mode } = lstatSync(source);
      if (source.endsWith('.img')) copyHead(source, target, size, mode & 0o7777);
      else writeFileSync(target, readFileSync(source), { mode: mode & 0o7777 });
    }
  }
}

export class Stages {
  private readonly root = mkdtempSync(join(scratch(), 'stages-'));
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
    return { directory, snapshot: world.snapshot(), atMs: Date.now() + world.clock.aheadMs };
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
      rmSync(directory, { recursive: true, force: true });
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

  close(): void {
    rmSync(this.root, { recursive: true, force: true });
  }
}
