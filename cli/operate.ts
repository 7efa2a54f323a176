/** Runs an operation on a guest and shows it as it goes. */
import { randomBytes } from 'node:crypto';
import { createInterface } from 'node:readline/promises';
import type { Guestflow, OperateOptions } from '../client/index.ts';
import { backupPlace } from '../contract/backup-place.ts';
import { GuestflowError } from '../contract/errors.ts';
import { operationWorkflowId } from '../contract/names.ts';
import { loadPlans, planChange } from '../order/plans.ts';
import { formatSize, parseSize } from '../contract/sizes.ts';
import type { OperationKind } from '../contract/operations.ts';
import { defined } from '../contract/defined.ts';
import { whyNotSize } from '../contract/field-checks.ts';
import type { OperationResult, Resized } from '../contract/guest-requests.ts';
import type { ChangePlanOptions, ResizeOptions, TerminateOptions } from './commands/operations.ts';
import { withGuestflow, type ServerOptions, type WaitingOptions } from './context.ts';
import { awaitCancelled } from './cancel.ts';
import { askOnInterrupt, interruptible } from './interrupt.ts';
import { printJson, printLine, type Io } from './io.ts';
import { createProgress } from './progress.ts';
import { InterruptedError } from './report.ts';

/** How an operation is asked for, beside its kind. */
type Wish = Omit<OperateOptions, 'id'>;

/** @param password one that was made for it, to be shown once when it is set */
export async function operate(
  io: Io,
  name: string,
  kind: OperationKind,
  options: WaitingOptions,
  wish: Wish = {},
  password?: string,
): Promise<undefined> {
  return withGuestflow(options, async (flow) => {
    const id = `${kind}-${randomBytes(6).toString('hex')}`;
    const result = await interruptible(
      io,
      (signal) => withProgress(io, flow, name, options, signal, () => flow.operate(name, kind, { ...wish, id })),
      `interrupted; ${kind} of ${name} was asked for and goes on: guestflow show ${name} tells how it goes, guestflow cancel ${name} undoes it`,
    ).catch(async (error: unknown) => {
      if (!(error instanceof InterruptedError)) throw error;
      const wanted = options.onInterrupt ?? (options.json === true ? 'leave' : await askOnInterrupt(io, `${kind} of ${name} goes on`));
      throw wanted === 'leave' ? error : await cancelOwn(io, flow, name, { kind, workflowId: operationWorkflowId(name, kind, id) });
    });
    if (options.json) printJson(io, { guest: name, ...result, ...defined({ password }) });
    else printLine(io, [describe(name, result), ...(password === undefined ? [] : [`password: ${password}`])].join('\n'));
    return undefined;
  });
}

/** Cancels the operation that this command asked for, and no other. Returns what to end with. */
async function cancelOwn(io: Io, flow: Guestflow, name: string, own: { kind: string; workflowId: string }): Promise<InterruptedError> {
  const { operation } = await flow.status(name);
  if (operation?.workflowId !== own.workflowId)
    return new InterruptedError(
      operation === undefined
        ? `interrupted; ${own.kind} of ${name} had ended already: guestflow show ${name} tells how`
        : `interrupted; ${own.kind} of ${name} waits behind ${operation.kind} and goes on then: guestflow cancel ${name} cancels what runs`,
    );
  await flow.cancel(name);
  const how = await interruptible(
    io,
    (signal) => awaitCancelled(flow, name, operation, signal),
    `interrupted; ${own.kind} of ${name} goes on being undone`,
  );
  return new InterruptedError(
    how === 'undone'
      ? `interrupted; ${own.kind} of ${name} was cancelled, and what it had done is undone`
      : `interrupted; ${own.kind} of ${name} had ended before it could be cancelled`,
  );
}

/** Without the grace period there is no way back: the guest's name is typed, or --yes said. */
export async function terminate(io: Io, name: string, options: TerminateOptions): Promise<undefined> {
  if (options.now === true && options.yes !== true) await mustTypeName(io, name, options);
  return operate(io, name, 'terminate', options, options.now === undefined ? {} : { now: true });
}

async function mustTypeName(io: Io, name: string, { json }: TerminateOptions): Promise<void> {
  const mend = 'say --yes to do it without being asked, or leave --now out: its data then stays for the grace period';
  if (io.stdin.isTTY !== true || json === true)
    throw new GuestflowError('InvalidInput', `--now takes all data of ${name} away, and nobody is there to ask`, { field: 'now', mend });
  const readline = createInterface({ input: io.stdin, output: io.stderr });
  try {
    const typed = await readline.question(`All data of ${name}, backups included, will be gone. Type its name to go on: `);
    if (typed.trim() !== name) throw new GuestflowError('Cancelled', `that is not ${name}: nothing was done`);
  } finally {
    readline.close();
  }
}

/** Gives a guest the sizes of a plan. */
export async function changePlan(io: Io, name: string, planName: string, options: ChangePlanOptions): Promise<undefined> {
  const plans = await loadPlans(options.plans ?? io.env['GUESTFLOW_PLANS']);
  const plan = plans.get(planName);
  if (plan === undefined)
    throw new GuestflowError('InvalidInput', `there is no plan ${planName}: known are ${[...plans.keys()].join(', ')}`, {
      field: 'plan',
      value: planName,
    });
  return operate(io, name, 'changePlan', options, { change: planChange(planName, plan, options.restart === true) });
}

/** Cancels what runs, and waits for its undo. */
export async function cancel(io: Io, name: string, options: ServerOptions): Promise<undefined> {
  return withGuestflow(options, async (flow) => {
    const { operation } = await flow.status(name);
    const kind = operation === undefined ? undefined : await flow.cancel(name);
    if (operation === undefined || kind === undefined) {
      if (options.json) printJson(io, { guest: name });
      else printLine(io, `nothing runs on ${name}`);
      return undefined;
    }
    const how = await interruptible(
      io,
      (signal) => withProgress(io, flow, name, options, signal, () => awaitCancelled(flow, name, operation, signal)),
      `interrupted; ${kind} of ${name} goes on being undone`,
    );
    if (options.json) printJson(io, { guest: name, cancelled: kind, how });
    else
      printLine(
        io,
        how === 'undone'
          ? `${kind} of ${name} is cancelled, and what it had done is undone`
          : `${kind} of ${name} had ended before it could be cancelled: guestflow show ${name}`,
      );
    return undefined;
  });
}

/** Shows the operation's steps while the work goes on. What cannot be shown is no reason for the work to fail. */
async function withProgress<T>(
  io: Io,
  flow: Guestflow,
  name: string,
  { json }: ServerOptions,
  outer: AbortSignal,
  work: () => Promise<T>,
): Promise<T> {
  const progress = createProgress({ json: json === true, stream: io.stderr });
  const done = new AbortController();
  const showing =
    json === true ? Promise.resolve() : show(flow, name, progress, AbortSignal.any([done.signal, outer])).catch(() => undefined);
  try {
    return await work();
  } finally {
    done.abort();
    await showing;
    progress.stop();
  }
}

async function show(flow: Guestflow, name: string, progress: ReturnType<typeof createProgress>, signal: AbortSignal): Promise<void> {
  for await (const { status, ...detail } of flow.watch(name, { signal })) {
    // Before the operation begins, and after it has ended, the steps are another one's.
    if (status.operation !== undefined) progress.update(status, detail);
  }
}

function describe(name: string, { kind, phase, backup, pruned, graceUntil, kept, leftForLater, resized }: OperationResult): string {
  if (leftForLater !== undefined) return `${kind} of ${name} is left for later: ${leftForLater}`;
  if (kind === 'prove' && backup?.proof !== undefined)
    return `backup ${backup.id} of ${name} is ${backup.state}: restored beside it, compared, and started in ${backup.proof.seconds} s; it showed "${backup.proof.what}"`;
  if (kind === 'protect' && backup !== undefined)
    return `backup ${backup.id} of ${name} is protected: retention leaves it alone until guestflow backups ${name} --unprotect ${backup.id}`;
  if (kind === 'unprotect' && backup !== undefined) return `backup ${backup.id} of ${name} is left to retention again`;
  if (kind === 'setHostname') return `the host name of ${name} is set: it is ${phase}`;
  if (kind === 'setKeys') return `the keys of root in ${name} are set: it is ${phase}`;
  if (kind === 'setPassword') return `the password of root in ${name} is set: it is ${phase}`;
  if (resized !== undefined) return describeResize(name, resized, phase, backup?.id);
  if (kind === 'restoreElsewhere' && backup !== undefined)
    return `${name} is restored from backup ${backup.id} (taken ${backup.takenAt}), as itself: it is ${phase}. Its first backup there follows`;
  if (backup !== undefined)
    return `${name} is backed up: ${backupPlace(backup)}, ${formatSize(backup.bytes)} in ${backup.seconds.toFixed(1)} s, ${backup.state}`;
  if (pruned !== undefined)
    return `${pruned.removed.length} backups of ${name} are removed, ${formatSize(pruned.freedBytes)} given back; ${pruned.kept} stay`;
  if (kind === 'rescue')
    return `${name} is in its rescue system: log in as root at its address. Its own disks are there, and not mounted; guestflow unrescue ${name} brings it back`;
  if (kind === 'reinstall' && kept !== undefined)
    return `the system of ${name} is installed anew: it is ${phase}. Its disk of before is kept until ${kept.keptUntil}: guestflow undo-reinstall ${name} brings it back`;
  if (kept !== undefined)
    return `${name} is restored from backup ${kept.backup} (taken ${kept.takenAt}): it is ${phase}. Its disk of before is kept until ${kept.keptUntil}: guestflow undo-restore ${name} brings it back`;
  return `${kind} of ${name} is done: it is ${phase}${graceUntil === undefined ? '' : `; its disks are kept until ${graceUntil}`}`;
}

function describeResize(name: string, { fromBytes, diskBytes, left }: Resized, phase: string, backup: string | undefined): string {
  const change = `the disk of ${name} has ${formatSize(diskBytes)} now, and had ${formatSize(fromBytes)}: it is ${phase}`;
  if (left !== undefined) return `${change}; ${left}: run resize2fs in it, or restart it by guestflow resize ${name} --disk … --offline`;
  return backup === undefined ? change : `${change}; backup ${backup} was taken before`;
}

/** Gives a guest's disk another size. */
export async function resize(io: Io, name: string, options: ResizeOptions): Promise<undefined> {
  const why = whyNotSize('disk')(options.disk);
  const diskBytes = parseSize(options.disk);
  if (why !== undefined || diskBytes === undefined)
    throw new GuestflowError('InvalidInput', `--disk "${options.disk}" ${why ?? 'is no size'}`, { field: 'disk', value: options.disk });
  if (options.live === true && options.offline === true)
    throw new GuestflowError('InvalidInput', '--live does not go with --offline', { field: 'live' });
  const how = options.live === true ? 'live' : options.offline === true ? 'offline' : undefined;
  return operate(io, name, 'resize', options, { resize: { diskBytes, ...defined({ how }) } });
}
