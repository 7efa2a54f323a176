/** Orders a guest by starting its workflow. The same order again gets the same answer (promise 1). */
import { createHash } from 'node:crypto';
import { WorkflowExecutionAlreadyStartedError, WorkflowNotFoundError, type WorkflowExecutionStatusName } from '@temporalio/client';
import { GuestflowError } from '../../contract/errors.ts';
import { GUEST_UPDATES, guestWorkflowId, QUERIES, WORKFLOWS } from '../../contract/names.ts';
import { contentOf } from '../../contract/same-order.ts';
import { formatSize } from '../../contract/sizes.ts';
import type { GuestOrder, OrderAnswer } from '../../contract/guest.ts';
import type { GuestInput } from '../../contract/workflow-inputs.ts';
import { sealPassword } from './sealed-password.ts';
import type { Session } from '../session.ts';
import { query, updateWithStart, type StartOf } from '../workflow-calls.ts';
import { defined } from '../../contract/defined.ts';
import { customerMark } from '../customers.ts';
import { keywords } from '../search-attributes.ts';

/**
 * Orders a guest and returns as soon as the order is taken.
 *
 * @param how `adopts`: the guest is there already, and is taken over. Default: it is made
 * @throws GuestflowError Busy or NotOurs when the name is another order's; HostNotReady when it has a password and its dom0 has no key to
 *   seal it with; Unreachable
 */
export async function orderGuest(session: Session, ordered: GuestOrder, how: Pick<GuestInput, 'adopts'> = {}): Promise<OrderAnswer> {
  const order = onlyItsBox(await withSealedPassword(session, ordered));
  const { client } = session;
  const place = async (): Promise<OrderAnswer> => {
    const updateId = updateIdOf(order, await fruitlessRun(session, order.name));
    try {
      return await updateWithStart(client, WORKFLOWS.guest, startOf(session, { order, ...how }), GUEST_UPDATES.order, [order], updateId);
    } catch (error) {
      if (error instanceof WorkflowExecutionAlreadyStartedError) return answerOfTheFormer(session, order);
      throw error;
    }
  };
  return session.call(`guest ${order.name}`, place).catch(async (error: unknown) => {
    const isKept =
      error instanceof GuestflowError &&
      error.type === 'Unreachable' &&
      (await client.workflow
        .getHandle(guestWorkflowId(order.name))
        .describe()
        .then(
          () => true,
          () => false,
        ));
    if (!isKept) throw error;
    throw new GuestflowError(
      'Unreachable',
      `guest ${order.name}: the order is with Temporal, but no control worker answers; it is done as soon as one runs`,
      error.details,
    );
  });
}

/** The password of an order leaves this process in a sealed box only. */
async function withSealedPassword(session: Session, order: GuestOrder): Promise<GuestOrder> {
  return { ...order, access: await sealPassword(session, order.order, order.access, [order.dom0]) };
}

/** Keeps only the box for the order's dom0: an order of billing has one for each dom0 to which it could have gone. */
function onlyItsBox(order: GuestOrder): GuestOrder {
  const { sealedPassword } = order.access;
  if (sealedPassword === undefined) return order;
  const box = sealedPassword[order.dom0];
  if (box !== undefined) return { ...order, access: { ...order.access, sealedPassword: { [order.dom0]: box } } };
  throw new GuestflowError('HostNotReady', `the password of ${order.name} was sealed before dom0 ${order.dom0} had registered its key`, {
    field: 'dom0',
    value: order.dom0,
    mend: 'name a dom0 that was there then, or give the order anew',
  });
}

/** Statuses of a run whose order failed: the order may be given again. */
const FRUITLESS: readonly WorkflowExecutionStatusName[] = ['FAILED', 'TERMINATED', 'CANCELLED', 'TIMED_OUT'];

/** The last run of this name, if its order failed. */
async function fruitlessRun({ client }: Session, name: string): Promise<string | undefined> {
  try {
    const { status, runId } = await client.workflow.getHandle(guestWorkflowId(name)).describe();
    return FRUITLESS.includes(status.name) ? runId : undefined;
  } catch (error) {
    if (error instanceof WorkflowNotFoundError) return undefined;
    throw error;
  }
}

/**
 * The id of an order's update. The same order has the same id, so Temporal gives it the same answer. Another content has another id: the workflow must see
 * it, to refuse it. After a failed run the id is another one, too; else Temporal would give that run's answer and begin nothing.
 */
function updateIdOf(order: GuestOrder, after: string | undefined): string {
  const content = createHash('sha256').update(contentOf(order)).digest('hex').slice(0, 16);
  return [`order-${order.order}-${content}`, ...(after === undefined ? [] : [after])].join('-');
}

function startOf(session: Session, input: GuestInput): StartOf<(input: GuestInput) => void> {
  const { order } = input;
  const { customer } = order;
  const marks = customer === undefined ? {} : { customer: customerMark(session, customer) };
  return {
    workflowId: guestWorkflowId(order.name),
    input: [input],
    workflowIdReusePolicy: 'ALLOW_DUPLICATE_FAILED_ONLY',
    typedSearchAttributes: keywords({
      guest: order.name,
      dom0: order.dom0,
      plan: order.plan,
      order: order.order,
      phase: 'ordered',
      ...marks,
    }),
    // What is in a memo can be read by everyone who sees the UI: no keys, no hashes.
    memo: { order: order.order, ...defined({ ip: order.network.ip }) },
    staticSummary: `guest ${order.name}, plan ${order.plan}, dom0 ${order.dom0}`,
    staticDetails: describeOrder(order),
  };
}

/** Markdown for the Temporal UI. */
function describeOrder(order: GuestOrder): string {
  const rows = [
    ['order', order.order],
    ['address', order.network.ip ?? 'the next free one'],
    ['memory', formatSize(order.size.memoryBytes)],
    ['vcpus', String(order.size.vcpus)],
    ['disk', `${formatSize(order.size.diskBytes)}, swap ${formatSize(order.size.swapBytes)}`],
    ['distribution', `${order.os.dist} (${order.os.installMethod})`],
    ['SSH keys', String(order.access.sshKeys.length)],
    ['root password', order.access.sealedPassword === undefined ? 'none' : 'set'],
  ];
  return rows.map(([key = '', value = '']) => `- **${key}**: ${value}`).join('\n');
}

/** A guest of that name has lived and is gone. If its order comes again, it gets the answer that it had. */
async function answerOfTheFormer(session: Session, order: GuestOrder): Promise<OrderAnswer> {
  const { client } = session;
  const id = guestWorkflowId(order.name);
  const [status, { runId, workflowId }] = await Promise.all([query(client, id, QUERIES.status), client.workflow.getHandle(id).describe()]);
  if (status.order === order.order) return { workflowId, runId, name: order.name, order: order.order };
  throw new GuestflowError(
    'Busy',
    `a guest ${order.name} existed before, by order ${status.order}; it is ${status.phase}, and its name is kept while Temporal keeps its history`,
    {
      field: 'name',
      value: order.name,
      mend: 'choose another name, or wait until the namespace has forgotten it (retention)',
    },
  );
}
