/** Runs an operation on a guest and shows it as it goes. */
import { createInterface } from 'node:readline/promises';
import type { Guestflow, OperateOptions } from '../client/index.ts';
import { GuestflowError } from '../contract/errors.ts';
import { loadPlans, planChange } from '../contract/plans.ts';
import { formatSize } from '../contract/sizes.ts';
import type { OperationKind, OperationResult } from '../contract/types.ts';
import type { ChangePlanOptions, TerminateOptions } from './commands/operations.ts';
import { withGuestflow, type ServerOptions } from './context.ts';
import { interruptible } from './interrupt.ts';
import { printJson, printLine, type Io } from './io.ts';
import { createProgress } from './progress.ts';

/** How an operation is asked for, beside its kind. */
type Wish = Omit<OperateOptions, 'id'>;

export async function operate(io: Io, name: string, kind: OperationKind, options: ServerOptions, wish: Wish = {}): Promise<undefined> {
  return withGuestflow(options, async (flow) => {
    const result = await interruptible(
      io,
      (signal) => withProgress(io, flow, name, options, signal, () => flow.operate(name, kind, wish)),
      `interrupted; ${kind} of ${name} goes on: guestflow show ${name} tells how it goes`,
    );
    if (options.json) printJson(io, { guest: name, ...result });
    else printLine(io, describe(name, result));
    return undefined;
  });
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
    const kind = await flow.cancel(name);
    if (kind !== undefined) {
      await interruptible(
        io,
        (signal) => withProgress(io, flow, name, options, signal, () => flow.waitFor(name, { signal })),
        `interrupted; ${kind} of ${name} goes on being undone`,
      );
    }
    if (options.json) printJson(io, { guest: name, ...(kind === undefined ? {} : { cancelled: kind }) });
    else printLine(io, kind === undefined ? `nothing runs on ${name}` : `${kind} of ${name} is cancelled, and what it had done is undone`);
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

function describe(name: string, { kind, phase, backup, graceUntil }: OperationResult): string {
  if (backup !== undefined)
    return `${name} is backed up: ${backup.path}, ${formatSize(backup.bytes)} in ${backup.seconds.toFixed(1)} s, ${backup.state}`;
  return `${kind} of ${name} is done: it is ${phase}${graceUntil === undefined ? '' : `; its disks are kept until ${graceUntil}`}`;
}
