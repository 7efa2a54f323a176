/** A guest in the middle of its life, on a dom0 of its own: it was provisioned without Temporal, and its workflow begins where it stands. */
import type { GuestRef, GuestSpec, GuestStatus } from '../../contract/guest.ts';
import type { OperationRequest, OperationResult } from '../../contract/guest-requests.ts';
import type { Lease } from '../../contract/capacity.ts';
import { Gate } from '../../system/gate.ts';
import { nightlyScheduleId } from '../../contract/names.ts';
import { withKept } from '../../workflows/guest/rules.ts';
import { bytesBeside } from '../../workflows/guest/state.ts';
import type { GuestRun } from '../../workflows/guest/guest.ts';
import type { DomainState } from '../../fake/index.ts';
import { guestPaths } from '../guest-places.ts';
import { ofLastBackup } from './operation-invariants.ts';
import { perform } from './perform.ts';
import type { Actor, Server } from './server.ts';
import type { Matrix } from './step-faults.ts';
import { GUEST, inTheNameOf, type Entry } from './tape.ts';
import { orderOf, refOf, type World } from './world.ts';
import { changed } from '../an-order.ts';

export type GuestState = NonNullable<GuestRun['carried']>;

const DAY_MS = 86_400_000;
/** More at once only wait for each other. */
const AT_ONCE = 12;
const gate = new Gate(AT_ONCE);

/** What the guest of the tape is known to be when its order is done. */
export function runningState({ tape, host }: Matrix): GuestState {
  const spec = tape.forward.find(({ activity }) => activity === 'bootGuest')?.input as GuestSpec;
  const { order, plan } = orderOf(GUEST, host);
  return {
    ...{ name: GUEST, order, dom0: host, plan, phase: 'running', orderedAt: '2026-01-01T00:00:00.000Z', spec },
    ...{ warnings: [], backups: [], leftovers: [], scheduleId: nightlyScheduleId(GUEST) },
  };
}

/** Where a guest begins. */
export interface Beginning {
  /** Performed after those of its order. */
  readonly entries: readonly Entry[];
  readonly state: GuestState;
  /** guestflow's key stays in it. Default: it is sealed. */
  readonly isManaged?: boolean;
  /** It has no backup yet. */
  readonly isNew?: boolean;
}

/** What is performed of an order, and its first backup. A managed guest is one that seal leaves alone. */
export function orderOn({ tape }: Matrix, { isManaged = false, isNew = false }: Omit<Beginning, 'entries' | 'state'>): Entry[] {
  const left = (entry: Entry): Entry => ({ ...entry, input: changed(entry.input as GuestSpec, { access: { managed: true } }) });
  const forward = tape.forward.map((entry) => (isManaged && entry.activity === 'sealGuest' ? left(entry) : entry));
  return isNew ? forward : [...forward, tape.firstBackup];
}

/** How an operation ended. */
export type Answer = { readonly isOk: true; readonly result: OperationResult } | { readonly isOk: false; readonly error: unknown };

export class GuestAtRest {
  readonly server: Server;
  readonly name: string;
  readonly world: World;
  readonly state: GuestState;
  readonly before: DomainState;
  /** Its address when it came. */
  lease: Lease | undefined;

  private constructor(server: Server, name: string, world: World, state: GuestState) {
    this.server = server;
    this.name = name;
    this.world = world;
    this.state = state;
    this.before = world.snapshot();
  }

  /** Runs `work` with such a guest. */
  static async with<T>(
    { matrix, server, name, from }: { matrix: Matrix; server: Server; name: string; from: Beginning },
    work: (guest: GuestAtRest) => Promise<T>,
  ): Promise<T> {
    return gate.pass('', () =>
      matrix.stages.on(matrix.start, matrix.host, async (world) => {
        for (const entry of inTheNameOf([...orderOn(matrix, from), ...from.entries], name)) {
          const { backups } = guestPaths(world.settings, name);
          const outcome = await perform(world, ofLastBackup(entry, world.snapshot(), backups));
          if (!outcome.isOk) throw outcome.error;
        }
        // Its first backup is of another day: their names are times.
        world.clock.aheadMs += DAY_MS;
        world.dom0.faults.restart();
        const guest = new GuestAtRest(server, name, world, inTheNameOf(from.state, name));
        try {
          await guest.arrive();
          return await work(guest);
        } finally {
          await guest.leave();
        }
      }),
    );
  }

  get ref(): GuestRef {
    return refOf(orderOf(this.name, this.world.settings.host));
  }

  private async arrive(): Promise<void> {
    const { spec, phase } = this.state;
    if (spec === undefined) throw new Error('a guest at rest has a spec');
    await this.server.admit(withKept(spec, bytesBeside(this.state)), phase !== 'terminating');
    this.lease = await this.server.leaseOf(this.name);
    await this.server.continueGuest({ order: orderOf(this.name, this.world.settings.host), carried: this.state });
  }

  private async leave(): Promise<void> {
    await this.server
      .handle(this.name)
      .terminate('the case is over')
      .catch(() => undefined);
    await this.server.dismiss(this.ref);
    this.server.forget(this.name);
  }

  /** Has what is called for this guest done on its dom0, as `actor` wants it. */
  lead(actor: Actor): void {
    this.server.lead(this.name, (call, work) => {
      this.world.startWorker();
      return actor(call, call.isControl ? work : () => this.world.attempt(call.activity, call.input));
    });
  }

  async operate(request: OperationRequest): Promise<Answer> {
    try {
      return { isOk: true, result: await this.server.operate(this.name, request) };
    } catch (error) {
      return { isOk: false, error };
    }
  }

  async status(): Promise<GuestStatus> {
    return this.server.status(this.name);
  }
}
