/** `dom0 prepare` of a host that is no dom0 yet: shows the plan, asks, does it, reboots. The same on the host itself and over ssh. */
import { createInterface } from 'node:readline/promises';
import { GuestflowError } from '../contract/errors.ts';
import { EXIT } from '../contract/exit-codes.ts';
import { parseWishes, type PlanRow, type PrepareEvent, type PrepareReport, type Wishes } from '../prepare/index.ts';
import type { Target } from '../prepare/target.ts';
import { printJson, type Io } from './io.ts';
import type { PrepareFlags } from './prepare-flags.ts';

/** Exit code 6: all is done but the reboot. */
export async function prepareTarget(io: Io, target: Target, flags: PrepareFlags): Promise<number> {
  const wishes = parseWishes(flags);
  const say = (text: string): void => void (flags.json ? io.stderr : io.stdout).write(`${text}\n`);
  const planned = await target.plan(wishes);
  for (const line of describePlan(planned.rows)) say(line);
  if (flags.dryRun) {
    if (planned.reboot !== undefined) say(`then a reboot: ${planned.reboot}`);
    if (flags.json) printJson(io, planned);
    return EXIT.done;
  }
  const isChange = planned.rows.some(({ state }) => state === 'change');
  if (isChange) await agree(io, flags.yes, 'make these changes', '--yes makes the changes, --dry-run only shows them');
  const report = isChange ? await doIt(io, target, wishes, say) : planned;
  return finish(io, target, { flags, wishes, report, say });
}

/** Rows as text: what is there in one line; what changes with each of its lines. */
export function describePlan(rows: readonly PlanRow[]): string[] {
  const width = Math.max(...rows.map(({ step }) => step.length));
  return rows.flatMap(({ step, state, found, changes }) => [
    `${step.padEnd(width)}  ${{ there: 'ok', change: 'change', 'not asked': '-' }[state].padEnd(6)}  ${found}`,
    ...changes.map((line) => `    ${line}`),
  ]);
}

async function agree(io: Io, isGiven: true | undefined, question: string, flag: string): Promise<void> {
  if (isGiven) return;
  if (!io.stdin.isTTY) throw new GuestflowError('InvalidInput', `nobody is here to be asked: ${question}?`, { mend: flag });
  if (await says(io, `${question}? [y/N] `)) return;
  throw new GuestflowError('Cancelled', 'nothing was changed');
}

async function says(io: Io, question: string, signal?: AbortSignal): Promise<boolean> {
  const lines = createInterface({ input: io.stdin, output: io.stderr });
  try {
    return /^y(es)?$/i.test((await (signal === undefined ? lines.question(question) : lines.question(question, { signal }))).trim());
  } catch {
    return false;
  } finally {
    lines.close();
  }
}

async function doIt(io: Io, target: Target, wishes: Wishes, say: (text: string) => void): Promise<PrepareReport> {
  const interrupt = new AbortController();
  const stopListening = io.onInterrupt(() => {
    say('interrupted: what was done is undone');
    interrupt.abort();
  });
  const emit = (event: PrepareEvent): void => {
    say(describeEvent(event));
    if (event.event === 'awaits login' && wishes.confirm === 'login' && io.stdin.isTTY && target.name === 'this host')
      void says(io, 'type yes when you read this: ', AbortSignal.timeout(event.seconds * 1000)).then((yes) =>
        yes ? target.confirm() : undefined,
      );
  };
  try {
    return await target.run(wishes, emit, interrupt.signal);
  } finally {
    stopListening();
  }
}

function describeEvent(event: PrepareEvent): string {
  if (event.event === 'step') return `${event.step} ${event.state}${event.text === undefined ? '' : `: ${event.text}`}`;
  return `the bridge is up, and stays when the host is reached within ${event.seconds} s (from a new login: guestflow-dom0 confirm)`;
}

interface Finish {
  readonly flags: PrepareFlags;
  readonly wishes: Wishes;
  readonly report: PrepareReport;
  readonly say: (text: string) => void;
}

async function finish(io: Io, target: Target, { flags, wishes, report, say }: Finish): Promise<number> {
  if (report.reboot === undefined) {
    say(`${target.name} is ready to be a dom0: install guestflow-dom0, set network in /etc/guestflow/dom0.yaml`);
    if (flags.json) printJson(io, report);
    return EXIT.done;
  }
  say(`${report.reboot}: ${target.name} must be rebooted`);
  if (flags.reboot || (io.stdin.isTTY && (await says(io, 'reboot it now? [y/N] ')))) {
    if (await target.reboot()) return finish(io, target, { flags, wishes, say, report: await rebooted(target, wishes) });
    say('it reboots: run the same command again when it is back');
  } else say('reboot it (or give --reboot), then run the same command again');
  if (flags.json) printJson(io, report);
  return EXIT.reboot;
}

/** What is there after the reboot. One that did not enter Xen is not asked to reboot for ever. */
async function rebooted(target: Target, wishes: Wishes): Promise<PrepareReport> {
  const report = await target.plan(wishes);
  const lacking = report.rows.filter(({ state }) => state === 'change').map(({ step, found }) => `${step}: ${found}`);
  if (report.reboot === undefined && lacking.length === 0) return report;
  throw new GuestflowError(
    'HostNotReady',
    `${target.name} was rebooted, and still: ${[report.reboot, ...lacking].filter(Boolean).join('; ')}`,
    {
      field: 'reboot',
      mend: 'look at its console: did its boot loader start Xen?',
    },
  );
}
