/** Calls to the ledgers of dom0s: what they have to sell, what is reserved, and updates. In a rush, many orders share one look at all ledgers. */
import type { Client } from '@temporalio/client';
import type { Capacity, Ledger, LedgerAudit } from '../../contract/capacity.ts';
import { DOM0_UPDATES, dom0WorkflowId, QUERIES, WORKFLOWS } from '../../contract/names.ts';
import type { Answer, Signature, UpdateName } from '../../contract/typed-names.ts';
import type { Dom0State, ReserveRequest } from '../../contract/dom0.ts';
import { queryLedger, updateLedger, updateLedgerWithStart } from '../ledger-calls.ts';
import { untilTakenByLedger } from '../lost-updates.ts';
import type { Session } from '../session.ts';
import { query, update } from '../workflow-calls.ts';
import { listDom0s, whenKnown } from './names.ts';
import { keywords } from '../search-attributes.ts';

/** A look is shared for this long. A reservation is exact in any case: the ledger decides it. */
const LOOK_MS = 1_000;
/** In a rush a reservation may take this long. */
const RESERVE_MS = 120_000;
/** A dom0 that does not answer is given up after three minutes. */
const AUDIT_MS = 400_000;

/** Tells a dom0's ledger something. Starts the ledger if there is none. */
export function updateDom0<S extends Signature>(client: Client, host: string, name: UpdateName<S>, ...args: Parameters<S>): Answer<S> {
  const start = {
    workflowId: dom0WorkflowId(host),
    input: [{ host, drained: false, promised: [] }] as [Dom0State],
    typedSearchAttributes: keywords({ dom0: host }),
    staticSummary: `dom0 ${host}: its ledger`,
  };
  return updateLedgerWithStart(client, WORKFLOWS.dom0, start, name, ...args);
}

interface Looks {
  hosts?: { readonly at: number; readonly found: Promise<string[]> };
  readonly ledgers: Map<string, { readonly at: number; readonly found: Promise<Ledger> }>;
}

const looks = new WeakMap<Session, Looks>();

function looksOf(session: Session): Looks {
  const known = looks.get(session) ?? { ledgers: new Map() };
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

function readLedger({ client }: Session, host: string): Promise<Ledger> {
  return queryLedger(client, dom0WorkflowId(host), QUERIES.capacity);
}

async function sharedLook(session: Session, host: string): Promise<Ledger> {
  const { ledgers } = looksOf(session);
  const known = ledgers.get(host);
  if (known !== undefined && Date.now() - known.at <= LOOK_MS) return known.found;
  const found = session.call(`dom0 ${host}`, () => readLedger(session, host));
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
  try {
    await session.call(`dom0 ${host}`, () => updateLedger(session.client, dom0WorkflowId(host), DOM0_UPDATES.reserve, request), RESERVE_MS);
  } catch (error) {
    // Others have reserved since the shared look: the next order looks again.
    looksOf(session).ledgers.delete(host);
    throw error;
  }
}

/** All of a dom0's ledger. */
export async function readDom0(session: Session, host: string): Promise<Dom0State> {
  return whenKnown(session, host, () => query(session.client, dom0WorkflowId(host), QUERIES.ledger));
}

/** What a dom0 has to sell, has sold, and what is left. */
export async function readCapacity(session: Session, host: string): Promise<Capacity> {
  return (await whenKnown(session, host, () => readLedger(session, host))).capacity;
}

/** Has a dom0's ledger compared with what is there, now. It takes minutes, so it does not pass the gate and hold up those who reserve. */
export async function auditLedger(session: Session, host: string): Promise<LedgerAudit> {
  const audit = (): Promise<LedgerAudit> => update(session.client, dom0WorkflowId(host), DOM0_UPDATES.audit);
  return whenKnown(session, host, () => untilTakenByLedger(audit), AUDIT_MS);
}

/** Takes no new guests on a dom0, or takes them again. */
export async function drainDom0(session: Session, host: string, on: boolean): Promise<void> {
  await whenKnown(session, host, () => updateLedger(session.client, dom0WorkflowId(host), DOM0_UPDATES.drain, on));
}
