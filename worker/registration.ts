/** A dom0 worker says what its dom0 has, so that the ledger knows what can be sold there. */
import { setTimeout as sleep } from 'node:timers/promises';
import { WorkflowNotFoundError, type Client } from '@temporalio/client';
import { dom0WorkflowId } from '../contract/names.ts';
import type { Host } from '../system/host.ts';
import { createEnv } from '../activities/dom0/drivers.ts';
import { ensurePasswordKey } from '../activities/dom0/password-key.ts';
import type { StepLog } from '../activities/dom0/work.ts';
import { dom0Facts } from '../activities/dom0/steps/look.ts';
import { registerDom0 } from '../client/dom0s/register.ts';
import type { Dom0Settings } from '../order/dom0-settings.ts';

/** Looks at the dom0 and registers it. */
export async function registerThisDom0(
  client: Client,
  context: {
    readonly host: Host;
    readonly settings: Dom0Settings;
    readonly log: StepLog;
    readonly version: string;
    readonly machine?: string;
  },
): Promise<void> {
  await ensurePasswordKey(context);
  const work = { ...context, signal: new AbortController().signal, attempt: 1, progress: () => undefined };
  const facts = await dom0Facts(createEnv(work), context.version);
  await registerDom0(client, context.machine === undefined ? facts : { ...facts, machine: context.machine });
  context.log.info({ dom0: facts.host, xen: facts.xenVersion }, 'dom0 registered');
}

/** Ends when the dom0's ledger is gone, or at the signal. A look wakes no workflow; what fails for another reason says nothing. */
export async function untilForgotten(
  client: Pick<Client, 'workflow'>,
  host: string,
  { everyMs, signal }: { readonly everyMs: number; readonly signal: AbortSignal },
): Promise<void> {
  const isOver = (): boolean => signal.aborted;
  while (!isOver()) {
    await sleep(everyMs, undefined, { signal }).catch(() => undefined);
    if (!isOver() && (await isForgotten(client, host))) return;
  }
}

async function isForgotten(client: Pick<Client, 'workflow'>, host: string): Promise<boolean> {
  try {
    const { status } = await client.workflow.getHandle(dom0WorkflowId(host)).describe();
    return status.name !== 'RUNNING';
  } catch (error) {
    return error instanceof WorkflowNotFoundError;
  }
}
