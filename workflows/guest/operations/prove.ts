/** The operation prove: a guest's backup is restored beside it, and started from. */
import { ApplicationFailure, CancellationScope, executeChild, log } from '@temporalio/workflow';
import { defined } from '../../../contract/defined.ts';
import { BACKUP_PRIORITY } from '../../../contract/nights.ts';
import { formatSize } from '../../../contract/sizes.ts';
import { withTrial } from '../../../contract/trial.ts';
import type { BackupRecord, Proof } from '../../../contract/backup.ts';
import type { GuestSpec } from '../../../contract/guest.ts';
import type { OperationRequest, OperationResult } from '../../../contract/guest-requests.ts';
import { Operation, rootFailure } from '../../saga/operation.ts';
import { control, dom0Steps, type Dom0Steps } from '../../saga/proxies.ts';
import { declareVersioning } from '../../saga/versioning.ts';
import type { GuestAtWork } from '../at-work.ts';
import { withKept } from '../rules.ts';
import { afterFailedProof, afterProof, LEFT_FOR_LATER, OUTCOMES, type LeftForLater } from '../proofs.ts';
import { chosenBackup } from './restore.ts';
import { refOf } from './shared.ts';

/** What a proof begins with. */
export interface Proving {
  readonly spec: GuestSpec;
  /** Bytes of a spare disk that the guest has beside its own. */
  readonly keptBytes: number;
  /** Id of the backup. Default: the last one. */
  readonly backup?: string;
  /** Leave it for later when the dom0 has something else to do, or no room for it. */
  readonly whenIdle?: true;
}

/** What came of it. A backup that could not be proven is a failure. */
export type Proven = { readonly backup: BackupRecord } | LeftForLater;

/**
 * Restores a backup beside its guest, compares all of it, starts it in a domain without a network, and removes all of that again.
 *
 * @throws ApplicationFailure BackupUnusable when it could not be restored, GuestDidNotAnswer when it did not come up: the backup has a record of that, and
 *   the failure names its id as the value of its field `backup`
 */
export async function proveBackup(input: Proving): Promise<Proven> {
  const { spec, whenIdle } = input;
  const operation = new Operation(`Proving a backup of **${spec.name}** on ${spec.dom0}`, [
    ...['choose', 'reserve', 'disks', 'start', 'record', 'remove', 'give-back'],
  ]);
  const steps = dom0Steps(spec.dom0, spec.name, operation.onWaiting);
  const busy = whenIdle === true ? await steps.host.whyNotIdle(undefined) : undefined;
  // Temporal turns an undefined answer into null.
  if (typeof busy === 'string') return { leftForLater: busy, hours: 1 };
  let chosen: BackupRecord | undefined;
  const began = Date.now();
  try {
    return await operation.run(async () => {
      chosen = await operation.step(
        'choose',
        async () => chosenBackup((await steps.host.listBackups(refOf(spec))).backups, defined({ backup: input.backup })),
        [],
        ({ id }) => id,
      );
      return { backup: await trial(operation, steps, input, chosen) };
    });
  } catch (error) {
    const { type, message, details } = rootFailure(error);
    const hours = whenIdle === true ? LEFT_FOR_LATER[type] : undefined;
    if (hours !== undefined) return { leftForLater: message, hours };
    const outcome = OUTCOMES[type];
    if (chosen === undefined || outcome === undefined) throw error;
    const { id } = chosen;
    await CancellationScope.nonCancellable(() =>
      steps.host.recordProof({ ref: refOf(spec), id, proof: proofOf(began, outcome, message) }),
    ).catch((failure: unknown) => {
      log.warn('what came of a proof could not be recorded', { backup: id, reason: rootFailure(failure).message });
    });
    const told = `backup ${id} of ${spec.name} is ${outcome === 'unusable' ? 'unusable' : 'not proven'}: ${message}`;
    throw ApplicationFailure.create({ type, nonRetryable: true, message: told, details: [{ ...details, field: 'backup', value: id }] });
  }
}

/** What is done once the backup is chosen. */
async function trial(
  operation: Operation,
  steps: Dom0Steps,
  { spec, keptBytes }: Proving,
  { id, dumpedBytes }: BackupRecord,
): Promise<BackupRecord> {
  const ref = refOf(spec);
  const began = Date.now();
  const usual = withKept(spec, keptBytes);
  await operation.firstStep(
    'reserve',
    () => control.changeReservation(withTrial(usual, dumpedBytes)),
    () => control.changeReservation(usual, true),
  );
  await operation.step(
    'disks',
    () => steps.bulk.makeTrial({ spec, id }),
    () => steps.undoBulk.endTrial(ref),
    ({ bytes }) => `${formatSize(bytes)}, the same as what was saved`,
  );
  const { what } = await operation.step(
    'start',
    () => steps.host.bootTrial(spec),
    [],
    ({ seconds, what: seen }) => `"${seen}" after ${seconds} s`,
  );
  const proof = proofOf(began, 'proven', what);
  const backup = await operation.step('record', () => steps.host.recordProof({ ref, id, proof }));
  await operation.step('remove', () => steps.bulk.endTrial(ref));
  await operation.step('give-back', () => control.changeReservation(usual, true));
  return backup;
}

/** What is kept of a proof is a few lines; a failure carries the console. */
const WHAT_LENGTH = 2_000;

function proofOf(began: number, outcome: Proof['outcome'], what: string): Proof {
  const now = Date.now();
  return { at: new Date(now).toISOString(), seconds: Math.round((now - began) / 1000), outcome, what: what.slice(0, WHAT_LENGTH) };
}

export async function performProve(guest: GuestAtWork, { kind, id, backup, whenIdle }: OperationRequest): Promise<OperationResult> {
  const { spec, state, order } = guest;
  const { proveDays } = order.backup;
  const keptBytes = state.kept?.diskBytes ?? 0;
  try {
    const proven = await guest.runChild(kind, id, (options) =>
      executeChild(proveBackup, { ...options, priority: BACKUP_PRIORITY, args: [{ spec, keptBytes, ...defined({ backup, whenIdle }) }] }),
    );
    guest.state = afterProof(guest.state, proven, proveDays, Date.now());
    const { phase } = guest.state;
    return 'backup' in proven ? { kind, phase, backup: proven.backup } : { kind, phase, leftForLater: proven.leftForLater };
  } catch (error) {
    const { type, message, details } = rootFailure(error);
    guest.state = afterFailedProof(guest.state, { type, message, backup: details.value }, proveDays, Date.now());
    // A guest without a backup that can be restored gets another one at once.
    if (OUTCOMES[type] === 'unusable') guest.askFor({ kind: 'backup', id: `after-${id}` });
    throw error;
  }
}

declareVersioning('PINNED', proveBackup);
