/**
 * Random lives through the real workflows: several guests on one dom0 are ordered, backed up, stopped, suspended, given another plan,
 * terminated and taken back, while tools fail, workers are killed and people cancel. The seed decides what is asked and what goes wrong;
 * which of two things that run at the same time is first, it cannot decide.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { FaultKind } from '../../fake/index.ts';
import { nightlyScheduleId } from '../../contract/names.ts';
import { OPERATION_KINDS } from '../../contract/operations.ts';
import type { GuestStatus } from '../../contract/guest.ts';
import type { OperationRequest } from '../../contract/guest-requests.ts';
import type { OperationKind } from '../../contract/operations.ts';
import { randomOf, type Case, type Verdict } from './case.ts';
import { booksOf, emptyComplaints, lostComplaints } from './books.ts';
import { asBefore, leftOn, nobodyElsesBytes } from './invariants.ts';
import { inexact } from './lists.ts';
import { failureOf } from './server.ts';
import type { WorkflowMatrix } from './workflow-faults.ts';
import { orderOf, refOf, World } from './world.ts';

type Random = () => number;

const GUESTS = 3;
const OPERATIONS = 6;
const GiB = 2 ** 30;
const KINDS: readonly FaultKind[] = [
  'fail',
  'fail-middle',
  'fail-after',
  'fail-always',
  'hang',
  'kill-before',
  'kill-middle',
  'kill-after',
];
/** Backups twice: they are what is asked for most. */
const ASKED: readonly OperationKind[] = ['backup', ...OPERATION_KINDS];
/** What an operation may fail with: anything else is a mistake of the workflows. */
const KNOWN =
  /^(Busy|InvalidInput|NoCapacity|NotFound|NotOurs|HostNotReady|ToolFailed|GuestDidNotAnswer|BackupUnusable|NeedsCleanup|Cancelled)$/;

function pick<T>(random: Random, items: readonly [T, ...T[]] | readonly T[]): T {
  const item = items[Math.floor(random() * items.length)];
  if (item === undefined) throw new Error('nothing to pick from');
  return item;
}

class Life {
  readonly name: string;
  readonly complaints: string[] = [];
  private readonly matrix: WorkflowMatrix;
  private readonly world: World;
  private readonly random: Random;
  private count = 0;

  constructor(matrix: WorkflowMatrix, world: World, name: string, random: Random) {
    this.matrix = matrix;
    this.world = world;
    this.name = name;
    this.random = random;
    matrix.server.lead(name, async (call, work) => {
      if (call.isControl) return work();
      world.startWorker();
      return world.attempt(call.activity, call.input);
    });
  }

  private trouble(): void {
    const { faults } = this.world.dom0;
    const kind = pick(this.random, KINDS);
    const index = faults.counts.process + Math.floor(this.random() * 50);
    if (this.random() < 0.5) faults.add({ kind, match: (call) => call.kind === 'process' && call.index === index });
  }

  private request(kind: OperationKind): OperationRequest {
    this.count += 1;
    const id = `${kind}${String(this.count)}`;
    if (kind === 'terminate') return { kind, id, now: this.random() < 0.3 };
    const size = Math.ceil(this.random() * 3);
    if (kind === 'resize') return { kind, id, resize: { diskBytes: size * GiB, how: this.random() < 0.3 ? 'live' : 'offline' } };
    if (kind !== 'changePlan') return { kind, id };
    return {
      kind,
      id,
      change: { plan: `plan${String(size)}`, memoryBytes: size * GiB, vcpus: size, diskBytes: (size + 1) * GiB, mayRestart: true },
    };
  }

  private async ask(kind: OperationKind): Promise<void> {
    try {
      await this.matrix.server.operate(this.name, this.request(kind));
    } catch (error) {
      const { type, message } = failureOf(error);
      if (!KNOWN.test(type) && !/already completed|not found/i.test(message))
        this.complaints.push(`${kind} of ${this.name} failed with ${type}: ${message}`);
    }
  }

  private async order(): Promise<void> {
    await this.matrix.server.place(orderOf(this.name, this.world.settings.host)).catch(() => undefined);
    await this.settle();
  }

  async settle(): Promise<GuestStatus> {
    for (;;) {
      const status = await this.matrix.server.status(this.name);
      if (status.operation === undefined && status.queued.length === 0 && !['ordered', 'provisioning'].includes(status.phase))
        return status;
      await sleep(200);
    }
  }

  private async isThere(): Promise<boolean> {
    return this.matrix.server.isOpen(this.name);
  }

  async live(): Promise<void> {
    for (let operation = 0; operation < OPERATIONS; operation += 1) {
      this.trouble();
      if (!(await this.isThere())) {
        if ((await this.matrix.server.status(this.name).catch(() => undefined))?.phase === 'gone') return;
        await this.order();
        continue;
      }
      const asked = [this.ask(pick(this.random, ASKED))];
      if (this.random() < 0.3) asked.push(this.ask(pick(this.random, ASKED)));
      if (this.random() < 0.2) asked.push(sleep(this.random() * 200).then(async () => this.matrix.server.cancel(this.name)));
      await Promise.all(asked);
    }
  }

  /** Its end, with nothing in the way any more. */
  async leave(): Promise<string[]> {
    if (!(await this.isThere())) return [];
    const { phase } = await this.settle();
    const kind = phase === 'needs-cleanup' ? 'cleanup' : 'terminate';
    try {
      await this.matrix.server.operate(this.name, { kind, id: 'leave', now: true });
      return [];
    } catch (error) {
      return [`${this.name}, ${phase}, cannot be removed: ${failureOf(error).message}`];
    }
  }

  /** What could not be removed is listed, each thing of it; where nothing of it is left, what could not be done. */
  private listComplaints({ phase, leftovers }: GuestStatus, before: ReturnType<World['snapshot']>, isScheduled: boolean): string[] {
    if (phase !== 'needs-cleanup') return [];
    const { settings } = this.world;
    // The tarball that all are made from may have been half made by another when the list was.
    const isOwn = (thing: string): boolean => !thing.startsWith(`${settings.goldenDir}/`);
    const there = leftOn(before, this.world.snapshot(), refOf(orderOf(this.name, settings.host)), settings).left.filter(isOwn);
    const left = [...there, ...(isScheduled ? [`schedule ${nightlyScheduleId(this.name)}`] : [])];
    const listed = leftovers.filter(isOwn);
    // A domain that was on its way out when the list was made has gone since.
    const isGone = (thing: string): boolean => thing === `domain ${this.name}` && !left.includes(thing);
    if (left.length > 0)
      return [
        ...inexact(
          listed.filter((thing) => !isGone(thing)),
          left,
        ),
      ];
    return leftovers.length > 0 ? [] : ['the list is empty'];
  }

  /** Whether the dom0 shows what the guest's status says. */
  async agrees(before: ReturnType<World['snapshot']>): Promise<string[]> {
    const status = await this.settle().catch(() => undefined);
    if (status === undefined) return [];
    const { domains, volumes } = this.world.snapshot();
    const runs = domains.some(({ name, state }) => name === this.name && state === 'running');
    const own = volumes
      .filter(({ tags, origin }) => origin === undefined && tags.includes(`guestflow.guest=${this.name}`))
      .map(({ name }) => name);
    const wrong: Partial<Record<GuestStatus['phase'], boolean>> = {
      suspended: runs,
      terminating: runs || own.some((name) => !name.startsWith('del-')),
      failed: runs || own.length > 0,
      gone: runs || own.length > 0,
    };
    const books = await booksOf(this.matrix.server, this.world.settings.host, this.name);
    const held = ['failed', 'gone'].includes(status.phase) ? emptyComplaints(books) : lostComplaints(books);
    const inTheBooks = [...held, ...this.listComplaints(status, before, books.isScheduled)].map(
      (line) => `${this.name} is ${status.phase}: ${line}`,
    );
    const isGood = wrong[status.phase] !== true;
    return isGood
      ? inTheBooks
      : [
          ...inTheBooks,
          `${this.name} is ${status.phase}, but on the dom0 ${runs ? 'it runs' : 'it is off'} and has ${own.join(', ') || 'no volume'}`,
        ];
  }
}

async function play(matrix: WorkflowMatrix, seed: number): Promise<Verdict> {
  const { server, hosts } = matrix;
  const random = randomOf(seed);
  const world = await World.create(hosts[seed % hosts.length] ?? '');
  const before = world.snapshot();
  const lives = Array.from(
    { length: GUESTS },
    (_, number) => new Life(matrix, world, `crowd${String(seed)}x${String(number + 1)}`, randomOf(Math.floor(random() * 2 ** 31))),
  );
  try {
    await Promise.all(lives.map((life) => life.live()));
    world.dom0.faults.restart();
    const inBetween = [
      ...(await Promise.all(lives.map((life) => life.agrees(before)))).flat(),
      ...lives.flatMap(({ name }) => nobodyElsesBytes(world.snapshot(), name)),
    ];
    const stuck = (await Promise.all(lives.map((life) => life.leave()))).flat();
    const books = await Promise.all(
      lives.map(async ({ name }) => emptyComplaints(await booksOf(server, world.settings.host, name)).map((line) => `${name}: ${line}`)),
    );
    return {
      end: 'as before',
      complaints: [
        ...lives.flatMap(({ complaints }) => complaints),
        ...inBetween,
        ...stuck,
        ...books.flat(),
        ...asBefore(before, world.snapshot(), world.settings),
      ],
    };
  } finally {
    for (const { name } of lives) {
      await server
        .handle(name)
        .terminate('the crowd is over')
        .catch(() => undefined);
      server.forget(name);
    }
    world.close();
  }
}

/** One crowd for each seed from `first` on. */
export function crowdCases(matrix: WorkflowMatrix, first: number, count: number): Case[] {
  return Array.from({ length: count }, (_, index) => ({
    name: `crowd/seed ${String(first + index)}`,
    run: () => play(matrix, first + index),
  }));
}
