/**
 * The proof of a backup: it is restored onto disks of its own, compared, and started from, in a domain without a network beside the guest's own. What such
 * a trial leaves is the guest's, by its marks, and `endTrial` removes it.
 */
import { defined } from '../../../contract/defined.ts';
import { GuestflowError } from '../../../contract/errors.ts';
import { trialName, trialOf } from '../../../contract/trial.ts';
import type { BackupRecord, Proof } from '../../../contract/backup.ts';
import type { GuestRef, GuestSpec } from '../../../contract/guest.ts';
import { until } from '../../../system/until.ts';
import type { StepEnv } from '../env.ts';
import { makeSwapOn } from '../images/fill.ts';
import { isOwner, type DomainRef, type Ref } from '../marks.ts';
import { recordOf } from './backup.ts';
import { createFresh, destroyGuest } from './boot.ts';
import { fillFromBackup } from './restore.ts';

/** How long a restored system has until it shows its login. */
const TRIAL_LIMIT_MS = 10 * 60_000;
const POLL_MS = 1_000;
/** What systems print after their login prompt, kernel messages mostly, does not push it out of so many lines. */
const CONSOLE_LINES = 400;
/** Lines of the console that an error shows. */
const SHOWN_LINES = 20;
/** Milliseconds for a domain's end. */
const CLOSING_LIMIT_MS = 2 * 60_000;
/** Load of dom0 for each of its vcpus up to which it counts as idle. */
const IDLE_LOAD = 0.7;

/** The domain of a guest's trial. */
function trialRef({ name, order }: Ref): Required<DomainRef> {
  return { name, order, domain: trialName(name) };
}

/** Why this dom0 has something else to do than a proof, in words; undefined if it has not. */
export async function whyNotIdle({ host, toolstack }: StepEnv): Promise<string | undefined> {
  const text = (await host.files.read('/proc/loadavg'))?.toString('utf8') ?? '';
  const load = Number(text.split(' ')[0]);
  const { online } = await toolstack.vcpus(0);
  return load > online * IDLE_LOAD ? `the load of dom0 is ${load} on ${online} vcpus` : undefined;
}

/** @throws HostNotReady when nothing keeps the consoles of domains */
export async function mustKeepConsoles({ toolstack }: StepEnv): Promise<void> {
  const { row: field, state, mend } = await toolstack.consoleLog();
  if (state !== 'ok')
    throw new GuestflowError('HostNotReady', 'whether a system comes up shows on its console, and dom0 keeps none', {
      field,
      ...defined({ mend }),
    });
}

/**
 * Makes the disks of a trial: the root disk from the backup, all of it compared; and an empty swap. What a trial before has left goes first.
 *
 * @throws HostNotReady when nothing keeps the consoles of domains; as `fillFromBackup`
 */
export async function makeTrial(env: StepEnv, { spec, id }: { spec: GuestSpec; id: string }): Promise<{ readonly bytes: number }> {
  await mustKeepConsoles(env);
  await endTrial(env, spec);
  const bytes = await fillFromBackup(env, spec, { id, role: 'trial' });
  await makeTrialSwap(env, spec);
  return { bytes };
}

/** The empty swap of a trial: what is in its fstab is to be there. */
export async function makeTrialSwap(env: StepEnv, spec: GuestSpec): Promise<void> {
  const { storage } = env;
  await storage.ensure(spec, {
    role: 'trialswap',
    bytes: await storage.roundUp(trialOf(spec).size.swapBytes),
    field: 'swap',
    fill: async (device) => {
      await makeSwapOn(env, device);
    },
  });
}

/** What came of the start of a trial: after how many seconds it showed what. */
export interface TrialResult {
  readonly seconds: number;
  readonly what: string;
}

/**
 * Starts the trial, and waits until its system shows its login.
 *
 * @param system what it is, in words. Default: what was restored
 * @throws GuestDidNotAnswer
 */
export async function bootTrial(env: StepEnv, spec: GuestSpec, system = 'what was restored'): Promise<TrialResult> {
  const { toolstack } = env;
  const { domain } = trialRef(spec);
  const kind = env.kindOf(spec);
  await createFresh(env, trialRef(spec), async () => {
    await toolstack.forgetConsole(domain);
    await toolstack.placeCfg(domain, kind.trialCfg(spec));
  });
  const started = Date.now();
  const seconds = (): number => Math.round((Date.now() - started) / 100) / 10;
  const look = async (): Promise<string | undefined> => {
    const console = await toolstack.console(domain, CONSOLE_LINES);
    const seen = kind.readConsole(console);
    if (seen.isUp) return seen.what;
    const row = await toolstack.find(domain);
    if (row === undefined || row.state === 'crashed') throw await notUp(env, domain, `${system} ended ${seconds()} s after its start`);
    if (seen.what !== undefined) throw await notUp(env, domain, `${system} shows "${seen.what}"`);
    if (Date.now() - started > TRIAL_LIMIT_MS) throw await notUp(env, domain, `${system} shows no login ${seconds()} s after its start`);
    env.progress(`waiting for the login of ${system} of ${spec.name} (${seconds()} s)`);
    return undefined;
  };
  const what = await until(look, { everyMs: POLL_MS, signal: env.signal });
  return { seconds: seconds(), what };
}

async function notUp({ toolstack }: StepEnv, domain: string, what: string): Promise<GuestflowError> {
  const console = await toolstack.console(domain, SHOWN_LINES);
  return new GuestflowError(
    'GuestDidNotAnswer',
    `${what}. The end of its console:\n${console === '' ? '(empty)' : console}`,
    { console },
    false,
  );
}

/** Removes the trial of a guest, whatever there is of it: its domain, its cfg, its disks, which are wiped. */
export async function endTrial(env: StepEnv, ref: GuestRef): Promise<void> {
  await endTrialDomain(env, ref);
  await awaitClosed(env, ref);
  await env.storage.release(ref, 'trial');
  await env.storage.release(ref, 'trialswap');
}

/**
 * Waits until nobody has the trial's disks open. A domain that is taken apart has lost its name, so that an attempt after a killed one does not find it. If
 * they stay open, the release says who has them.
 */
async function awaitClosed({ storage, toolstack, signal }: StepEnv, ref: Ref): Promise<void> {
  const { domain } = trialRef(ref);
  const devices = (['trial', 'trialswap'] as const).map((role) => storage.device(ref.name, role));
  const isClosed = async (): Promise<boolean> => {
    const row = await toolstack.find(domain);
    const isOpen = (await storage.list()).some((disk) => disk.open && devices.includes(disk.device));
    return row === undefined && !isOpen;
  };
  await until(isClosed, { everyMs: POLL_MS, limitMs: CLOSING_LIMIT_MS, signal });
}

/** The same for its domain and what belongs to that. The cfg goes last: it marks the domain as ours. */
export async function endTrialDomain(env: StepEnv, ref: Ref): Promise<void> {
  const { toolstack } = env;
  const trial = trialRef(ref);
  await toolstack.clearHalfCfg(trial.domain);
  if (!isOwner((await toolstack.readCfg(trial.domain))?.owner, ref)) return;
  await destroyGuest(env, trial);
  await toolstack.wipeSaved(trial);
  await toolstack.forgetConsole(trial.domain);
  await toolstack.removeCfg(trial.domain);
}

/** Keeps what came of a proof beside the backup. */
export async function recordProof(
  { repository }: StepEnv,
  { ref, id, proof }: { ref: GuestRef; id: string; proof: Proof },
): Promise<BackupRecord> {
  const found = (await repository.list(ref.name)).backups.find((each) => each.id === id && each.order === ref.order);
  if (found === undefined)
    throw new GuestflowError('NotFound', `${ref.name} has no backup ${id} in ${repository.name} any more`, { field: 'backup' });
  return recordOf(await repository.prove(found, proof));
}
