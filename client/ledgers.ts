/** The ledgers of dom0s as placement sees them: in a rush many orders share one look, and take turns at reserving. */
import { setTimeout as sleep } from 'node:timers/promises';
import { isGrpcServiceError } from '@temporalio/client';
import type { Capacity } from '../contract/capacity-types.ts';
import { DOM0_UPDATES, dom0WorkflowId, QUERIES } from '../contract/names.ts';
import { untilTakenByLedger } from './lost-updates.ts';
import { Turns, UPDATES_AT_ONCE } from '../system/turns.ts';
import type { PromiseAnswer, ReserveRequest } from '../contract/types.ts';
import { listDom0s } from './listing.ts';
import type { Session } from './session.ts';

/** What a dom0 has to sell, and to whom it has promised something. */
export interface Ledger {
  readonly capacity: Capacity;
  readonly owners: readonly { readonly guest: string; readonly order: string }[];
}

/** A look is shared for this long. Reserving is exact in any case. */
const LOOK_MS = 1_000;
/** A rush may take a while; whoever waits has nothing to lose. */
const RESERVE_MS = 120_000;
const TRIES = 20;

interface Looks {
  readonly turns: Turns;
  hosts?: { readonly at: number; readonly found: Promise<string[]> };
  readonly ledgers: Map<string, { readonly at: number; readonly found: Promise<Ledger> }>;
}

const looks = new WeakMap<Session, Looks>();

function looksOf(session: Session): Looks {
  const known = looks.get(session) ?? { turns: new Turns(UPDATES_AT_ONCE), ledgers: new Map() };
  looks.set(session, known);
  return known;
}

/** The ledgers of all dom0s, at most a second old. */
export async function readLedgers(session: Session): Promise<Ledger[]> {
  const known = looksOf(session);
  const now = Date.now();
  if (known.hosts === undefined || now - known.hosts.at > LOOK_MS) known.hosts = { at: now, found: listDom0s(session) };
  const hosts = await known.hosts.found.catch((error: unknown) => {
    delete known.hosts;
    throw error;
  });
  return Promise.all(hosts.map((host) => sharedLook(session, host)));
}

/** A dom0's ledger as it is now. */
export async function readLedger(session: Session, host: string): Promise<Ledger> {
  return session.call(`dom0 ${host}`, () =>
    patiently(() => session.client.workflow.getHandle(dom0WorkflowId(host)).query<Ledger>(QUERIES.capacity)),
  );
}

async function sharedLook(session: Session, host: string): Promise<Ledger> {
  const { ledgers } = looksOf(session);
  const known = ledgers.get(host);
  if (known !== undefined && Date.now() - known.at <= LOOK_MS) return known.found;
  const found = readLedger(session, host);
  ledgers.set(host, { at: Date.now(), found });
  return found.catch((error: unknown) => {
    ledgers.delete(host);
    throw error;
  });
}

/**
 * Reserves on a dom0, or throws what its ledger refuses with.
 *
 * @throws GuestflowError NoCapacity, NotOurs, HostNotReady, Unreachable
 */
export async function reserveOn(session: Session, host: string, request: ReserveRequest): Promise<void> {
  const { turns, ledgers } = looksOf(session);
  const reserve = (): Promise<PromiseAnswer> =>
    session.client.workflow
      .getHandle(dom0WorkflowId(host))
      .executeUpdate<PromiseAnswer, [ReserveRequest]>(DOM0_UPDATES.reserve, { args: [request] });
  try {
    await session.call(`dom0 ${host}`, () => turns.take(host, () => patiently(() => untilTakenByLedger(reserve))), RESERVE_MS);
  } catch (error) {
    // What was seen of it has been overtaken.
    ledgers.delete(host);
    throw error;
  }
}

/** gRPC's codes RESOURCE_EXHAUSTED and UNAVAILABLE, when it is the workflow that is busy, not Temporal that is away. */
function isCrowded(error: unknown): boolean {
  if (!isGrpcServiceError(error)) return error instanceof Error && error.cause !== undefined && isCrowded(error.cause);
  const code: number = error.code;
  return code === 8 || (code === 14 && /update was aborted|query cleared/.test(error.details));
}

/** Asks a workflow that is busy again, until it has time. */
async function patiently<T>(ask: () => Promise<T>): Promise<T> {
  for (let tried = 1; ; tried += 1) {
    try {
      return await ask();
    } catch (error) {
      if (tried === TRIES || !isCrowded(error)) throw error;
      await sleep(100 + Math.random() * 200 * tried);
    }
  }
}
