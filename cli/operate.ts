/** Runs an operation on a guest and shows it as it goes. */
import type { Guestflow } from '../client/index.ts';
import { formatSize } from '../contract/sizes.ts';
import type { OperationKind, OperationResult } from '../contract/types.ts';
import { withGuestflow, type ServerOptions } from './context.ts';
import { interruptible } from './interrupt.ts';
import { printJson, printLine, type Io } from './io.ts';
import { createProgress } from './progress.ts';

export async function operate(io: Io, name: string, kind: OperationKind, options: ServerOptions & { readonly now?: true }): Promise<undefined> {
  return withGuestflow(options, async (flow) => {
    const result = await interruptible(
      io,
      (signal) => withProgress(io, flow, name, options, signal, () => flow.operate(name, kind, options.now === undefined ? {} : { now: true })),
      `interrupted; ${kind} of ${name} goes on: guestflow show ${name} tells how it goes`,
    );
    if (options.json) printJson(io, { guest: name, ...result });
    else printLine(io, describe(name, result));
    return undefined;
  });
}

/** Cancels what runs, and waits for its undo. */
export async function cancel(io: Io, name: string, options: ServerOptions): Promise<undefined> {
  return withGuestflow(options, async (flow) => {
    const kind = await flow.cancel(name);
    if (kind !== undefined) {
      await interruptible(io, (signal) => withProgress(io, flow, name, options, signal, () => flow.waitFor(name, { signal })), `interrupted; ${kind} of ${name} goes on being undone`);
    }
    if (options.json) printJson(io, { guest: name, ...(kind === undefined ? {} : { cancelled: kind }) });
    else printLine(io, kind === undefined ? `nothing runs on ${name}` : `${kind} of ${name} is cancelled, and what it had done is undone`);
    return undefined;
  });
}

/** Shows the operation's steps while the work goes on. What cannot be shown is no reason for the work to fail. */
async function withProgress<T>(io: Io, flow: Guestflow, name: string, { json }: ServerOptions, outer: AbortSignal, work: () => Promise<T>): Promise<T> {
  const progress = createProgress({ json: json === true, stream: io.stderr });
  const done = new AbortController();
  const showing = json === true ? Promise.resolve() : show(flow, name, progress, AbortSignal.any([done.signal, outer])).catch(() => undefined);
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
  if (backup !== undefined) return `${name} is backed up: ${backup.path}, ${formatSize(backup.bytes)} in ${backup.seconds.toFixed(1)} s, ${backup.state}`;
  return `${kind} of ${name} is done: it is ${phase}${graceUntil === undefined ? '' : `; its disks are kept until ${graceUntil}`}`;
}
