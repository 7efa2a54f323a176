/** What `guestflow provision` does: check the order, place it, watch it, say what came of it. */
import { readFile } from 'node:fs/promises';
import type { Guestflow } from '../client/index.ts';
import { parseDocument } from '../order/document.ts';
import { GuestflowError } from '../contract/errors.ts';
import { checkAgainstFacts, parseFacts } from '../order/facts.ts';
import { checkOrder, type ResolveOptions } from '../order/order.ts';
import { loadPlans } from '../order/plans.ts';
import { formatSize } from '../contract/sizes.ts';
import type { GuestStatus, UnplacedOrder } from '../contract/guest.ts';
import type { PlacingOptions, ProvisionOptions } from './commands/provision.ts';
import { awaitCancelled } from './cancel.ts';
import { withGuestflow, type WaitingOptions } from './context.ts';
import { orderDocument, statusDocument } from './side-by-side.ts';
import { printFacts, printJson, printLine, type Io } from './io.ts';
import { askOnInterrupt, interruptible } from './interrupt.ts';
import { orderFromFile, orderFromFlags } from './order-input.ts';
import { createProgress } from './progress.ts';
import { InterruptedError } from './report.ts';
import { printGuest } from './show-guest.ts';
import { defined } from '../contract/defined.ts';

export async function provision(io: Io, name: string | undefined, options: ProvisionOptions): Promise<undefined> {
  if (options.facts !== undefined && options.check === undefined)
    throw new GuestflowError('InvalidInput', '--facts is for --check: say both, or neither', { field: 'facts' });
  const plans = await loadPlans(options.plans ?? io.env['GUESTFLOW_PLANS']);
  const raw = options.file === undefined ? await orderFromFlags(io, name, options) : await orderFromFile(io, options.file, name, options);
  const dom0 = io.env['GUESTFLOW_DOM0'];
  const resolving: ResolveOptions = { plans, ...(dom0 === undefined ? {} : { defaults: { dom0 } }) };
  // Before anything is connected: a bad order is a bad order whether or not Temporal is up.
  const order = checkOrder(raw, resolving);
  if (options.check !== undefined) return check(io, order, options);
  return withGuestflow(options, (flow) => place(io, flow, order, options));
}

async function check(io: Io, order: UnplacedOrder, { facts: path, json }: ProvisionOptions): Promise<undefined> {
  if (path !== undefined) {
    const bytes = await readFile(path).catch((error: unknown) => {
      throw new GuestflowError(
        'InvalidInput',
        `the facts ${path} cannot be read: ${error instanceof Error ? error.message : String(error)}`,
        { field: 'facts' },
      );
    });
    checkAgainstFacts(order, parseFacts(parseDocument(bytes, path), path));
  }
  if (json) printJson(io, { ok: true, order: orderDocument(order) });
  else {
    printLine(io, `the order can be done${path === undefined ? ', as far as can be told without the dom0' : ''}:`);
    printFacts(io, [
      ['name', order.name],
      ['order', order.order],
      ['plan', order.plan],
      ['dom0', order.dom0 ?? 'chosen when it is ordered'],
      ['address', order.network.ip ?? 'the next free one of the dom0'],
      ['memory', formatSize(order.size.memoryBytes)],
      ['vcpus', String(order.size.vcpus)],
      ['disk', `${formatSize(order.size.diskBytes)}, swap ${formatSize(order.size.swapBytes)}`],
      ['distribution', `${order.os.dist}, ${order.os.installMethod}`],
      ['SSH keys', String(order.access.sshKeys.length)],
      ['root password', order.access.passwordHash === undefined ? 'none' : 'set'],
    ]);
  }
  return undefined;
}

/** Gives an order, and waits for its guest unless told not to. */
export async function place(io: Io, flow: Guestflow, order: UnplacedOrder, options: PlacingOptions): Promise<undefined> {
  const answer = await flow.place(order, { mustBeServed: true });
  const url = flow.guestUrl(order.name);
  if (!options.wait) {
    if (options.json) printJson(io, { ...answer, ...defined({ url }) });
    else
      printLine(
        io,
        `order ${answer.order} for guest ${answer.name} on dom0 ${answer.dom0} is taken; guestflow show ${answer.name} tells how it goes`,
      );
    return undefined;
  }
  const status = await waitForGuest(io, flow, order.name, options);
  const failure = await flow.failureOf(status);
  if (failure !== undefined) throw failure;
  if (options.json) printJson(io, { ...statusDocument(status), ...defined({ url }) });
  else printGuest(io, status, url);
  return undefined;
}

/** Waits with progress. Ctrl-C ends the wait; what becomes of the guest is asked, or told by --on-interrupt. */
async function waitForGuest(io: Io, flow: Guestflow, name: string, options: WaitingOptions): Promise<GuestStatus> {
  const progress = createProgress({ json: options.json === true, stream: io.stderr });
  const interrupt = new AbortController();
  const takeBack = io.onInterrupt(() => {
    interrupt.abort();
  });
  let last: GuestStatus | undefined;
  const wait = (signal?: AbortSignal): Promise<GuestStatus> =>
    flow.waitForOrder(name, {
      ...defined({ signal }),
      onProgress: ({ status, ...detail }) => {
        const steps = detail.operation?.steps;
        last = steps === undefined ? status : { ...status, steps };
        progress.update(status, detail);
      },
    });
  try {
    const status = await wait(interrupt.signal).catch((error: unknown) => {
      if (interrupt.signal.aborted) return undefined;
      throw error;
    });
    if (status !== undefined) return last ?? status;
    progress.stop();
    // From here on Ctrl-C ends the question, or the wait for the undo.
    takeBack();
    const wish = options.onInterrupt ?? (options.json === true ? 'leave' : await askOnInterrupt(io, `${name} is being made`));
    if (wish === 'leave')
      throw new InterruptedError(
        `interrupted; guest ${name} goes on being made: guestflow show ${name} tells how it goes, guestflow cancel ${name} undoes it`,
      );
    throw await cancelOrder(io, flow, name);
  } finally {
    progress.stop();
    takeBack();
  }
}

/** Cancels the making of a guest, and nothing else. Returns what to end with. */
async function cancelOrder(io: Io, flow: Guestflow, name: string): Promise<InterruptedError> {
  const { operation } = await flow.status(name);
  const isMade = new InterruptedError(`interrupted; guest ${name} was made before it could be cancelled: guestflow show ${name}`);
  if (operation?.kind !== 'provision') return isMade;
  await flow.cancel(name);
  const how = await interruptible(
    io,
    (signal) => awaitCancelled(flow, name, operation, signal),
    `interrupted; guest ${name} goes on being undone: guestflow show ${name} tells how it goes`,
  );
  return how === 'undone' ? new InterruptedError(`interrupted; guest ${name} was cancelled, and what was done is undone`) : isMade;
}
