/** guest1, which `guestflow up` orders, or finds as it was left. */
import { resolveOrder, type Guestflow } from '../../client/index.ts';
import type { GuestInventory } from '../../contract/dom0.ts';
import { GuestflowError, isErrorType } from '../../contract/errors.ts';
import type { GuestStatus } from '../../contract/guest.ts';
import { loadPlans } from '../../order/plans.ts';
import { until } from '../../system/until.ts';
import type { UpOptions } from '../commands/up.ts';
import type { Io } from '../io.ts';
import { createProgress } from '../progress.ts';

const GUEST = 'guest1';
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

/** Orders guest1, or finds it; waits until it is settled. */
export async function orderGuest(
  flow: Guestflow,
  host: string,
  publicKey: string,
  io: Io,
  options: UpOptions,
  signal: AbortSignal,
): Promise<{ status: GuestStatus; found: boolean }> {
  const before = await flow.status(GUEST).catch(() => undefined);
  const found = before !== undefined && before.phase !== 'failed';
  const order = resolveOrder({ name: GUEST, plan: PLAN, sshKeys: [publicKey] }, { plans: await loadPlans(), defaults: { dom0: host } });
  if (!found || before.phase === 'provisioning') await flow.order(order);
  const progress = createProgress({ json: false, stream: io.stderr, simulated: options.simulate === true });
  try {
    const status = await flow.waitForOrder(GUEST, {
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
 * Waits for the first backup of guest1, which follows its order.
 *
 * @throws GuestflowError of the backup's type when it failed
 */
export async function awaitFirstBackup(flow: Guestflow, io: Io, options: UpOptions, signal: AbortSignal): Promise<void> {
  const progress = createProgress({ json: options.json === true, stream: io.stderr, simulated: options.simulate === true });
  try {
    const { backups, error } = await flow.waitFor(GUEST, {
      signal,
      onProgress: ({ status, ...detail }) => {
        if (status.operation !== undefined) progress.update(status, detail);
      },
    });
    if (backups.length > 0 || error === undefined) return;
    throw new GuestflowError(isErrorType(error.type) ? error.type : 'ToolFailed', `${GUEST} runs, and has no backup: ${error.message}`);
  } finally {
    progress.stop();
  }
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
