/** dom0s: their ledgers, and small tasks on them. */
import { randomBytes } from 'node:crypto';
import { WithStartWorkflowOperation, WorkflowUpdateFailedError, type Client } from '@temporalio/client';
import { ApplicationFailure, defineSearchAttributeKey } from '@temporalio/common';
import type { Capacity, LedgerAudit } from '../contract/capacity-types.ts';
import { GuestflowError } from '../contract/errors.ts';
import { DOM0_NAME_PATTERN } from '../contract/guest-name.ts';
import { CONTROL_QUEUE, DOM0_UPDATES, dom0Queue, dom0WorkflowId, QUERIES, SEARCH_ATTRIBUTES, WORKFLOWS } from '../contract/names.ts';
import { untilStartedAndTaken } from './lost-updates.ts';
import type { Dom0Facts, Dom0State, GuestRef, Registration } from '../contract/types.ts';
import { readLedger } from './ledgers.ts';
import { whenKnown } from './known.ts';
import { listDom0s } from './listing.ts';
import { joinNetwork } from './networks.ts';
import type { Session } from './session.ts';

/** Small tasks on a dom0 that are no operation on a guest. */
export type Dom0TaskName = 'preflight' | 'facts' | 'prepare' | 'domains' | 'inspect' | 'audit' | 'clean';

/** What some tasks need beside the host. */
export interface Dom0TaskParameters {
  /** `inspect`: which guest. */
  readonly guest?: GuestRef;
  /** `inspect`: lines of its console. Default: none. */
  readonly lines?: number;
  /** `clean`: orphans that an audit showed. */
  readonly orphans?: readonly { readonly guest: string; readonly order: string }[];
}

/** Seconds that a task may take; `prepare` installs packages. */
const TASK_SECONDS: Partial<Record<Dom0TaskName, number>> = { prepare: 900, clean: 86_400 };
const USUAL_TASK_SECONDS = 60;

/** A dom0 that does not answer is given up after three minutes. */
const AUDIT_MS = 400_000;

/** A worker asks for work at least once a minute. */
const POLLER_IS_GONE_MS = 90_000;

type Dom0Workflow = (initial: Dom0State) => Promise<unknown>;

/**
 * Says what a dom0's worker found there. Starts the dom0's ledger, and the one of its network, if there is none.
 *
 * @param client of the worker itself
 * @throws GuestflowError `Busy` when another machine is registered as this dom0, and its worker lives. The place of one whose worker has asked for no
 * work for a minute and a half is taken.
 */
export async function registerDom0(client: Client, facts: Dom0Facts): Promise<void> {
  try {
    await register(client, facts);
  } catch (error) {
    const registered = otherMachine(error);
    if (registered === undefined) throw error;
    if (await isServedBy(client, facts.host, registered)) throw whyNotThisMachine(facts, registered);
    await register(client, { ...facts, replaces: registered });
  }
  const {
    network: { cidr, gateway, bridge, exclude = [] },
    addresses,
  } = facts;
  await joinNetwork(client, cidr, { gateway, members: [{ dom0: facts.host, bridge, exclude, addresses }] });
}

/** Identity of a dom0's worker, as Temporal shows it. */
export function workerIdentity(host: string, machine: string): string {
  return `dom0/${host}/${machine}/${process.pid}`;
}

/** The machine for whose sake a registration was refused. */
function otherMachine(error: unknown): string | undefined {
  const cause = error instanceof WorkflowUpdateFailedError ? error.cause : undefined;
  if (!(cause instanceof ApplicationFailure) || cause.type !== 'Busy') return undefined;
  return (cause.details?.[0] as { value?: string } | undefined)?.value;
}

async function isServedBy(client: Client, host: string, machine: string): Promise<boolean> {
  const pollers = await pollersOf(client.workflowService, client.options.namespace, host);
  return pollers.some((identity) => identity.startsWith(`dom0/${host}/${machine}/`));
}

function whyNotThisMachine({ host, machine }: Dom0Facts, registered: string): GuestflowError {
  return new GuestflowError(
    'Busy',
    `dom0 ${host} is served by another machine (${registered}; this one is ${String(machine)}): two machines cannot be one dom0`,
    {
      field: 'host',
      value: host,
      mend: `give this machine a name of its own (host in /etc/guestflow/dom0.yaml). If it is to take the other one's place, stop the worker there; after ${POLLER_IS_GONE_MS / 1000} s this one may start`,
    },
  );
}

async function register(client: Client, facts: Registration): Promise<void> {
  const send = (): Promise<undefined> =>
    client.workflow.executeUpdateWithStart<Dom0Workflow, undefined, [Registration]>(DOM0_UPDATES.register, {
      args: [facts],
      startWorkflowOperation: new WithStartWorkflowOperation<Dom0Workflow>(WORKFLOWS.dom0, {
        workflowId: dom0WorkflowId(facts.host),
        taskQueue: CONTROL_QUEUE,
        args: [{ host: facts.host, drained: false, promised: [] }],
        workflowIdConflictPolicy: 'USE_EXISTING',
        typedSearchAttributes: [{ key: defineSearchAttributeKey(SEARCH_ATTRIBUTES.dom0, 'KEYWORD'), value: facts.host }],
        staticSummary: `dom0 ${facts.host}: its ledger`,
      }),
    });
  await untilStartedAndTaken(send);
}

/** A dom0's ledger. */
export async function readDom0(session: Session, host: string): Promise<Dom0State> {
  mustBeName(host);
  return whenKnown(session, host, () => session.client.workflow.getHandle(dom0WorkflowId(host)).query<Dom0State>(QUERIES.ledger));
}

/** What a dom0 has to sell, has sold, and what is left. */
export async function readCapacity(session: Session, host: string): Promise<Capacity> {
  mustBeName(host);
  return (await readLedger(session, host)).capacity;
}

/** Has a dom0's ledger compared with what is there, now. */
export async function auditLedger(session: Session, host: string): Promise<LedgerAudit> {
  mustBeName(host);
  const handle = session.client.workflow.getHandle(dom0WorkflowId(host));
  return whenKnown(session, host, () => handle.executeUpdate<LedgerAudit, []>(DOM0_UPDATES.audit), AUDIT_MS);
}

/** Takes no new guests on a dom0, or takes them again. */
export async function drainDom0(session: Session, host: string, on: boolean): Promise<void> {
  mustBeName(host);
  const handle = session.client.workflow.getHandle(dom0WorkflowId(host));
  await whenKnown(session, host, () => handle.executeUpdate<undefined, [boolean]>(DOM0_UPDATES.drain, { args: [on] }));
}

/**
 * Runs a task on a dom0 and returns its result.
 *
 * @throws GuestflowError Unreachable when no worker serves that dom0
 */
export async function runDom0Task<T>(session: Session, host: string, task: Dom0TaskName, parameters: Dom0TaskParameters = {}): Promise<T> {
  await mustBeServed(session, host);
  const seconds = TASK_SECONDS[task] ?? USUAL_TASK_SECONDS;
  const work = (): Promise<unknown> =>
    session.client.workflow.execute(WORKFLOWS.dom0Task, {
      workflowId: `${dom0WorkflowId(host)}/${task}/${randomBytes(4).toString('hex')}`,
      taskQueue: CONTROL_QUEUE,
      args: [{ host, task, ...parameters }],
      workflowExecutionTimeout: seconds * 1000,
      staticSummary: `${task} on dom0 ${host}`,
    });
  return (await session.call(`${task} on dom0 ${host}`, work, (seconds + 10) * 1000)) as T;
}

/**
 * Refuses a dom0 that no worker serves.
 *
 * @throws GuestflowError Unreachable
 */
export async function mustBeServed(session: Session, host: string): Promise<void> {
  mustBeName(host);
  if (!(await isServed(session, host))) throw await nobodyServes(session, host);
}

/** Whether a worker has asked for that dom0's steps lately. */
async function isServed(session: Session, host: string): Promise<boolean> {
  const { connection, endpoint } = session;
  const pollers = await session.call(`dom0 ${host}`, () => pollersOf(connection.workflowService, endpoint.namespace, host));
  return pollers.length > 0;
}

/** Identities of the workers that have asked for a dom0's steps lately. */
async function pollersOf(workflowService: Client['workflowService'], namespace: string, host: string): Promise<string[]> {
  const { pollers } = await workflowService.describeTaskQueue({
    namespace,
    taskQueue: { name: dom0Queue(host) },
    // eslint-disable-next-line @typescript-eslint/no-unsafe-enum-assignment -- the enum lives in @temporalio/proto, which is no dependency of ours
    taskQueueType: ACTIVITY_QUEUE,
  });
  const isLate = (seconds: unknown): boolean => Date.now() - Number(seconds ?? 0) * 1000 >= POLLER_IS_GONE_MS;
  return pollers.filter(({ lastAccessTime }) => !isLate(lastAccessTime?.seconds)).map(({ identity }) => identity ?? '');
}

/** temporal.api.enums.v1.TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY */
const ACTIVITY_QUEUE = 2;

async function nobodyServes(session: Session, host: string): Promise<GuestflowError> {
  const known = await listDom0s(session);
  const others = known.length === 0 ? 'none has ever registered' : `known are ${known.join(', ')}`;
  return new GuestflowError('Unreachable', `nobody serves dom0 ${host}: no worker asks for its work (${others})`, {
    field: 'dom0',
    value: host,
    mend: `start its worker: systemctl start guestflow-dom0 on ${host}, or guestflow worker dom0 there`,
  });
}

function mustBeName(host: string): void {
  if (!DOM0_NAME_PATTERN.test(host))
    throw new GuestflowError('InvalidInput', `dom0 "${host}" is no name of a dom0: a host name in lower case`, {
      field: 'dom0',
      value: host,
    });
}
