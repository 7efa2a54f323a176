/** The guests that `guestflow up` orders, or finds as they were left: guest1 as by hand, and guest2 by the faster recipe, for comparison. */
import { resolveOrder, type Guestflow } from '../../client/index.ts';
import type { GuestInventory } from '../../contract/dom0.ts';
import { GuestflowError, isErrorType } from '../../contract/errors.ts';
import type { GuestStatus } from '../../contract/guest.ts';
import type { OperationProgress } from '../../contract/progress.ts';
import { loadPlans } from '../../order/plans.ts';
import { until } from '../../system/until.ts';
import type { UpOptions } from '../commands/up.ts';
import type { Io } from '../io.ts';
import { createProgress } from '../progress.ts';

/** A guest of `guestflow up`. */
export interface UpGuest {
  readonly name: string;
  readonly recipe: 'how-to' | 'direct';
}

export const GUEST1: UpGuest = { name: 'guest1', recipe: 'how-to' };
export const GUEST2: UpGuest = { name: 'guest2', recipe: 'direct' };
const PLAN = 'small';

/** Until the dom0's worker has said what it has. */
export async function awaitRegistration(flow: Guestflow, host: string, signal: AbortSignal): Promise<void> {
  const look = (): Promise<boolean> =>
    flow.dom0State(host).then(
      ({ facts }) => facts !== undefined,
      () => false,
    );
  await until(look, { everyMs: 300, signal });
}

/** What the guests of one run have in common. */
export interface UpOrders {
  readonly flow: Guestflow;
  /** The dom0. */
  readonly host: string;
  /** With which the newcomer logs in. */
  readonly publicKey: string;
  readonly io: Io;
  readonly options: UpOptions;
  readonly signal: AbortSignal;
}

/** Orders a guest, or finds it; waits until its order is done. */
export async function orderGuest(
  { flow, host, publicKey, io, options, signal }: UpOrders,
  { name, recipe }: UpGuest,
): Promise<{ status: GuestStatus; found: boolean }> {
  const before = await flow.status(name).catch(() => undefined);
  const found = before !== undefined && before.phase !== 'failed';
  const order = resolveOrder({ name, plan: PLAN, recipe, sshKeys: [publicKey] }, { plans: await loadPlans(), defaults: { dom0: host } });
  if (!found || before.phase === 'provisioning') await flow.order(order);
  const progress = createProgress({ json: false, stream: io.stderr, simulated: options.simulate === true });
  try {
    const status = await flow.waitForOrder(name, {
      signal,
      onProgress: ({ status: now, ...detail }) => {
        if (!found || now.phase !== 'running') progress.update(now, detail);
      },
    });
    return { status: await mustRun(flow, status), found };
  } finally {
    progress.stop();
  }
}

/**
 * Waits for the first backup of a guest, which follows its order.
 *
 * @throws GuestflowError of the backup's type when it failed
 */
export async function awaitFirstBackup({ flow, io, options, signal }: UpOrders, { name }: UpGuest): Promise<void> {
  const progress = createProgress({ json: options.json === true, stream: io.stderr, simulated: options.simulate === true });
  try {
    const { backups, error } = await flow.waitFor(name, {
      signal,
      onProgress: ({ status, ...detail }) => {
        if (status.operation !== undefined) progress.update(status, detail);
      },
    });
    if (backups.length > 0 || error === undefined) return;
    throw new GuestflowError(isErrorType(error.type) ? error.type : 'ToolFailed', `${name} runs, and has no backup: ${error.message}`);
  } finally {
    progress.stop();
  }
}

/** The seconds from an order to the first answer of its guest from its own volumes; undefined if its steps are not known any more. */
export function secondsToAnswer(steps: OperationProgress['steps']): number | undefined {
  const answered = steps.find(({ name }) => name === 'lvm-migration') ?? steps.find(({ name }) => name === 'boot');
  const begun = steps[0]?.startedAt;
  if (begun === undefined || answered?.startedAt === undefined || answered.seconds === undefined) return undefined;
  return (Date.parse(answered.startedAt) - Date.parse(begun)) / 1000 + answered.seconds;
}

/** A guest that was found is started if it is off; one that failed says why. */
async function mustRun(flow: Guestflow, status: GuestStatus): Promise<GuestStatus> {
  const failure = await flow.failureOf(status);
  if (failure !== undefined) throw failure;
  const ref = { name: status.name, order: status.order, dom0: status.dom0 };
  const { domain } = await flow.dom0Task<GuestInventory>(status.dom0, 'inspect', { guest: ref });
  if (domain === undefined || status.phase === 'stopped') await flow.operate(status.name, 'start');
  return flow.status(status.name);
}
