/** The fleet at a glance: what `guestflow top` shows. */
import { setTimeout as sleep } from 'node:timers/promises';
import { toldOf, type Told } from '../activities/control/notify/words.ts';
import { problemsOf } from '../activities/control/watch/problems.ts';
import { readTroubled } from '../client/billing-orders.ts';
import { findEndpoint } from '../client/config.ts';
import { readFleet, type Fleet } from '../client/fleet.ts';
import { openSession, type Session } from '../client/session.ts';
import type { Amounts } from '../contract/capacity.ts';
import { defined } from '../contract/defined.ts';
import { formatSize } from '../contract/sizes.ts';
import type { TopOptions } from './commands/top.ts';
import { interruptible } from './interrupt.ts';
import { printJson, printLine, printTable, type Io } from './io.ts';

const INTERVAL_MS = 3_000;
/** Operations that are listed; the others are counted. */
const MOST_SHOWN = 15;

/** The fleet, as it is shown and as `--json` prints it. */
interface FleetView {
  readonly at: string;
  readonly dom0s: readonly {
    readonly dom0: string;
    readonly state: 'served' | 'silent' | 'drained' | 'lost';
    readonly seenAt?: string;
    readonly guests: number;
    readonly left?: Amounts;
    /** Steps that wait for its worker. */
    readonly waiting: number;
  }[];
  /** Guests by phase. */
  readonly guests: Readonly<Record<string, number>>;
  readonly running: Fleet['running'];
  readonly wrong: readonly Told[];
}

export async function fleetTop(io: Io, options: TopOptions): Promise<undefined> {
  const { address, namespace, stateDir } = options;
  const session = await openSession(await findEndpoint(defined({ address, namespace, stateDir })));
  try {
    const first = await look(session);
    if (options.json) printJson(io, first);
    else draw(io, first);
    const goesOn = options.json === undefined && options.once === undefined && (options.watch === true || io.stdout.isTTY === true);
    if (goesOn) await interruptible(io, (signal) => again(io, session, signal), 'interrupted');
  } finally {
    await session.close();
  }
  return undefined;
}

/** A look that fails is said, and tried again: whoever watches wants to see when Temporal is back. */
async function again(io: Io, session: Session, signal: AbortSignal): Promise<void> {
  const isOver = (): boolean => signal.aborted;
  while (!isOver()) {
    await sleep(INTERVAL_MS, undefined, { signal }).catch(() => undefined);
    if (isOver()) return;
    const view = await look(session).catch((error: unknown) => (error instanceof Error ? error.message : 'the fleet cannot be read'));
    if (isOver()) return;
    if (io.stdout.isTTY === true) io.stdout.write('\u001B[H\u001B[2J');
    if (typeof view === 'string') printLine(io, view);
    else draw(io, view);
  }
}

async function look(session: Session): Promise<FleetView> {
  const [fleet, orders] = await Promise.all([readFleet(session), readTroubled(session)]);
  return viewOf(fleet, problemsOf(fleet, orders, Date.now()).map(toldOf), new Date().toISOString());
}

function viewOf({ dom0s, guests, running }: Fleet, wrong: readonly Told[], at: string): FleetView {
  const phases = new Map<string, number>();
  for (const { phase } of guests) phases.set(phase, (phases.get(phase) ?? 0) + 1);
  return {
    at,
    dom0s: dom0s
      .map(({ capacity: { host, lost, drained, free }, isServed, seenAt, waiting }) => ({
        dom0: host,
        state:
          lost !== undefined ? ('lost' as const) : !isServed ? ('silent' as const) : drained ? ('drained' as const) : ('served' as const),
        ...defined({ seenAt, left: lost === undefined ? free : undefined }),
        guests: guests.filter(({ dom0 }) => dom0 === host).length,
        waiting: waiting.short + waiting.bulk,
      }))
      .sort((a, b) => a.dom0.localeCompare(b.dom0)),
    guests: Object.fromEntries([...phases].sort()),
    running,
    wrong,
  };
}

function draw(io: Io, { at, dom0s, guests, running, wrong }: FleetView): void {
  const counts = Object.entries(guests).map(([phase, count]) => `${String(count)} ${phase}`);
  printLine(io, `${at.slice(0, 19).replace('T', ' ')} UTC   guests: ${counts.length === 0 ? 'none' : counts.join(', ')}`);
  printLine(io);
  printTable(
    io,
    ['DOM0', 'STATE', 'GUESTS', 'MEMORY LEFT', 'VCPUS LEFT', 'DISK LEFT', 'WAITING'],
    dom0s.map(({ dom0, state, guests: count, left, waiting }) => [
      dom0,
      state,
      String(count),
      left === undefined ? '-' : sizeOf(left.memoryBytes),
      left === undefined ? '-' : String(left.vcpus),
      left === undefined ? '-' : sizeOf(left.diskBytes),
      String(waiting),
    ]),
  );
  printLine(io);
  printLine(io, running.length === 0 ? 'nothing runs' : `${String(running.length)} operations run`);
  const shown = running.slice(0, MOST_SHOWN);
  if (shown.length > 0)
    printTable(
      io,
      ['GUEST', 'OPERATION', 'DOM0', 'FOR'],
      shown.map(({ guest, kind, dom0, startedAt }) => [guest, kind, dom0, lasting(Date.parse(at) - Date.parse(startedAt))]),
    );
  printLine(io);
  printLine(io, wrong.length === 0 ? 'nothing is wrong' : 'what is wrong:');
  for (const { what, dom0, subjects, more, do: commands } of wrong) {
    const names = subjects.filter((subject) => subject !== dom0).join(', ');
    printLine(
      io,
      `  ${what}${dom0 === undefined || what.includes(dom0) ? '' : ` (dom0 ${dom0})`}${names === '' ? '' : `: ${names}`}${more > 0 ? `, and ${String(more)} more` : ''}`,
    );
    printLine(io, `    do: ${commands}`);
  }
}

function sizeOf(bytes: number): string {
  return bytes < 0 ? `-${formatSize(-bytes)}` : formatSize(bytes);
}

function lasting(ms: number): string {
  const minutes = Math.max(0, Math.floor(ms / 60_000));
  return minutes < 60 ? `${String(minutes)} min` : `${String(Math.floor(minutes / 60))} h ${String(minutes % 60)} min`;
}
