/** The bridge of guests: made by a guard that takes it back unless the host is reached over it within a minute. */
import { GuestflowError } from '../../contract/errors.ts';
import type { Host } from '../../system/host.ts';
import { until } from '../../system/until.ts';
import { showChange } from '../files.ts';
import { change, notAsked, there, type Finding, type Job, type Verb } from '../types.ts';
import { isBridged, planBridge, type BridgePlan } from './find.ts';
import {
  GUARD_FOLDER,
  GUARD_UNIT,
  guardScript,
  REACH_SECONDS,
  REACHED_FILE,
  RESTORE_UNIT,
  RESTORE_UNIT_FILE,
  type Outcome,
} from './guard.ts';

const POLL_MS = 500;
/** Each command of the guard has 90 s; a network that comes and goes back has some ten of them. */
const GUARD_LIMIT_MS = 20 * 60_000;

async function look({ host, wishes }: Pick<Job, 'host' | 'wishes'>): Promise<Finding> {
  const wish = wishes.bridge;
  if (wish === undefined) return notAsked('no --bridge');
  const { code } = await host.run('systemctl', ['is-active', '--quiet', `${GUARD_UNIT}.service`], { okCodes: [0, 3, 4] });
  if (code === 0)
    throw new GuestflowError('Busy', 'a bridge is on trial on this host: within two minutes it is kept or taken back', {
      field: '--bridge',
      value: wish.name,
      mend: 'wait for it, then run this again',
    });
  if (await isBridged(host, wish)) return there(`${wish.name} with port ${wish.port}`);
  const { by, changes } = await planBridge(host, wish);
  return change(`no bridge ${wish.name}; ${by} configures ${wish.port}`, [
    ...changes.flatMap(showChange),
    `${wish.name} is brought up; taken back by itself unless the host is reached over it within ${String(REACH_SECONDS)} s`,
  ]);
}

/** Lays out what the guard needs: its script, and the files as they were and as they are to be. */
async function layOut(host: Host, plan: BridgePlan, wish: { name: string; port: string }): Promise<void> {
  const { files } = host;
  await files.removeTree(GUARD_FOLDER);
  await files.makeDirectory(GUARD_FOLDER, 0o700);
  for (const [index, { path, before, after, mode = 0o644 }] of plan.changes.entries()) {
    const its = (await files.info(path))?.mode ?? mode;
    for (const [which, text] of [
      ['old', before],
      ['new', after],
    ] as const) {
      await files.makeDirectory(`${GUARD_FOLDER}/${which}`, 0o700);
      if (text !== undefined) await files.writeAtomic(`${GUARD_FOLDER}/${which}/${String(index)}`, text, its);
    }
    await files.makeDirectory(path.slice(0, path.lastIndexOf('/')));
  }
  await files.writeAtomic(`${GUARD_FOLDER}/guard.sh`, guardScript(plan, wish), 0o700);
  await files.writeAtomic(RESTORE_UNIT_FILE, RESTORE_UNIT, 0o644);
}

async function make(job: Job): Promise<void> {
  const { host, wishes, onUndo } = job;
  const wish = wishes.bridge;
  if (wish === undefined) return;
  const plan = await planBridge(host, wish);
  onUndo(`put back the network of ${wish.port}`, () => goBack(host));
  await layOut(host, plan, wish);
  await startGuard(host, 'apply', []);
  const outcome = await awaitOutcome(job);
  if (outcome === 'kept') return;
  const type = outcome === 'rolled back: cancelled' ? 'Cancelled' : 'HostNotReady';
  throw new GuestflowError(type, `bridge ${wish.name} was tried and ${outcome}; the former network settings are back`, {
    field: '--bridge',
    value: `${wish.name}=${wish.port}`,
    mend: `journalctl --unit ${GUARD_UNIT} says what happened; check the address and gateway of ${wish.port}, then run this again`,
  });
}

async function startGuard(host: Host, verb: 'apply' | 'rollback', more: readonly string[]): Promise<void> {
  const args = [`--unit=${GUARD_UNIT}`, '--collect', '--quiet', ...more, '--', '/bin/sh', `${GUARD_FOLDER}/guard.sh`, verb];
  await host.run('systemd-run', args, { timeoutMs: GUARD_LIMIT_MS });
}

/** Undoes a bridge that was kept. If the guard has rolled back, or never ran, there is nothing to put back. */
async function goBack(host: Host): Promise<void> {
  const outcome = String((await host.files.read(`${GUARD_FOLDER}/outcome`)) ?? '').trim();
  if (outcome === 'kept') await startGuard(host, 'rollback', ['--wait']);
  await host.files.remove(RESTORE_UNIT_FILE);
  await host.files.removeTree(GUARD_FOLDER);
}

async function awaitOutcome(job: Job): Promise<Outcome> {
  const { files } = job.host;
  let isTold = false;
  const look = async (): Promise<Outcome | undefined> => {
    const outcome = await files.read(`${GUARD_FOLDER}/outcome`);
    if (outcome !== undefined) return outcome.toString('utf8').trim() as Outcome;
    if (!isTold && (await files.info(`${GUARD_FOLDER}/up`)) !== undefined) {
      isTold = true;
      job.emit({ event: 'awaits login', reachedFile: REACHED_FILE, seconds: REACH_SECONDS });
    }
    if (isTold && job.wishes.confirm === 'gateway' && (await gatewayAnswers(job.host, job.wishes.bridge?.name ?? '')))
      await files.writeAtomic(REACHED_FILE, 'gateway\n');
    if (job.signal.aborted) await files.writeAtomic(`${GUARD_FOLDER}/cancel`, '');
    return undefined;
  };
  const outcome = await until(look, { everyMs: POLL_MS, limitMs: GUARD_LIMIT_MS });
  if (outcome !== undefined) return outcome;
  throw new GuestflowError('ToolFailed', `the guard of the bridge did not end within ${String(GUARD_LIMIT_MS / 60_000)} min`, {
    field: '--bridge',
  });
}

/** Whether the default gateway answers over the bridge. */
async function gatewayAnswers(host: Host, bridge: string): Promise<boolean> {
  const { stdout } = await host.run('ip', ['-json', 'route', 'show', 'default', 'dev', bridge]);
  const gateway = (JSON.parse(stdout === '' ? '[]' : stdout) as { gateway?: string }[])[0]?.gateway;
  if (gateway === undefined) return false;
  const args = ['-q', '-c', '1', '-w', '2', '-I', bridge, '--', gateway];
  return (await host.run('arping', args, { okCodes: [0, 1], timeoutMs: 10_000 })).code === 0;
}

export const bridge: Verb = { name: 'bridge', look, do: make };
