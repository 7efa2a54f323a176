/** restore, undoRestore and keepRestored: a guest's disk from a backup; the disk of before is kept for a grace period. */
import { executeChild } from '@temporalio/workflow';
import { defined } from '../../../contract/defined.ts';
import { formatSize } from '../../../contract/sizes.ts';
import type { BackupRecord } from '../../../contract/backup.ts';
import { chosenBackup as chosenOf, type WantedBackup } from '../../../contract/chosen-backup.ts';
import type { GuestSpec, KeptDisk } from '../../../contract/guest.ts';
import type { OperationRequest, OperationResult } from '../../../contract/guest-requests.ts';
import { Operation } from '../../saga/operation.ts';
import { control, dom0Steps } from '../../saga/proxies.ts';
import { declareVersioning } from '../../saga/versioning.ts';
import { refuse, type GuestAtWork } from '../at-work.ts';
import { withKept } from '../rules.ts';
import { exchangeSteps, keptUntil, namesOfExchange, systemOf, whyKept, withGolden, withSystem, type Exchange } from './exchange.ts';
import { daysFromNow, refOf } from './shared.ts';

/** A restored disk that was taken back is kept so long. */
const TAKEN_BACK_KEPT_DAYS = 1 / 24;

/**
 * The backup that is meant.
 *
 * @throws ApplicationFailure NotFound, with what there is
 */
export function chosenBackup(backups: readonly BackupRecord[], wanted: WantedBackup): BackupRecord {
  const chosen = chosenOf(backups, wanted);
  if ('found' in chosen) return chosen.found;
  throw refuse('NotFound', chosen.whyNone, chosen.field);
}

/**
 * restore: makes a disk from the backup while the guest goes on, then exchanges the two. If the guest does not answer from it, all is undone: it runs from
 * the disk that it had.
 */
export async function restoreGuest(input: Exchange & { readonly wanted: WantedBackup }): Promise<BackupRecord> {
  const { spec, before, wanted } = input;
  const ref = refOf(spec);
  const operation = new Operation(`Restoring **${spec.name}** on ${spec.dom0}`, ['choose', 'reserve', 'disk', ...namesOfExchange(input)]);
  const { host, bulk, undo, undoBulk } = dom0Steps(spec.dom0, spec.name, operation.onWaiting);
  return operation.run(async () => {
    const backup = await operation.step(
      'choose',
      async () => chosenBackup((await host.listBackups(ref)).backups, wanted),
      [],
      ({ id }) => id,
    );
    await operation.firstStep(
      'reserve',
      () => control.changeReservation(withKept(spec, spec.size.diskBytes)),
      () => control.changeReservation(spec, true),
    );
    let wasOff = false;
    await operation.step(
      'disk',
      async () => {
        // A restore that could not be undone may have left both disks. Its restored one is of another backup.
        wasOff = (await host.settleDisks(ref)).wasLeft;
        await bulk.dropDisk({ ref, role: 'restored' });
        return bulk.fillRestored({ ref, id: backup.id });
      },
      [() => undoBulk.dropDisk({ ref, role: 'restored' }), async () => (wasOff && before.isRunning ? undo.bootGuest(spec) : undefined)],
      ({ bytes }) => `${formatSize(bytes)}, the same as what was saved`,
    );
    await exchangeSteps(operation, input, { spare: 'restored' });
    return backup;
  });
}

/** undoRestore: the disk of before the restore is in its place again. The restored one is still there; `keepRestored` removes it. */
export async function undoRestore(input: Exchange & { readonly formerBytes: number }): Promise<void> {
  const { spec, formerBytes } = input;
  const isSmaller = formerBytes < spec.size.diskBytes;
  const operation = new Operation(`Taking the restore of **${spec.name}** on ${spec.dom0} back`, [
    ...(isSmaller ? ['reserve'] : []),
    ...namesOfExchange(input, isSmaller),
  ]);
  await operation.run(async () => {
    // The guest's disk has grown since the restore: the former one grows with it, beside the restored one.
    if (isSmaller)
      await operation.firstStep(
        'reserve',
        () => control.changeReservation(withKept(spec, spec.size.diskBytes)),
        () => control.changeReservation(withKept(spec, formerBytes), true),
      );
    await exchangeSteps(operation, input, { spare: 'former', ...defined({ smaller: isSmaller ? formerBytes : undefined }) });
  });
}

/** keepRestored: wipes and removes the spare disks, and gives their room back. */
export async function keepRestored(spec: GuestSpec): Promise<void> {
  const ref = refOf(spec);
  const operation = new Operation(`Removing the spare disks of **${spec.name}** on ${spec.dom0}`, ['former', 'restored', 'give-back']);
  const { bulk } = dom0Steps(spec.dom0, spec.name, operation.onWaiting);
  await operation.removeAll(
    (['former', 'restored'] as const).map((role) => [role, () => bulk.dropDisk({ ref, role })]),
    ['give-back', () => control.changeReservation(spec)],
    () => Promise.resolve([]),
    'It is tried again within an hour, or by keep-restored',
  );
}

export async function performRestore(guest: GuestAtWork, request: OperationRequest): Promise<OperationResult> {
  const { kind, id, backup, at } = request;
  const { spec, before, state } = guest;
  if (state.kept !== undefined) throw refuse('Busy', whyKept('restore', spec.name, state.kept));
  const { id: restored, takenAt } = await guest.runChild(kind, id, (options) =>
    executeChild(restoreGuest, { ...options, args: [{ spec, before, wanted: defined({ backup, at }) }] }),
  );
  const kept: KeptDisk = {
    role: 'former',
    backup: restored,
    takenAt,
    diskBytes: spec.size.diskBytes,
    keptUntil: keptUntil(guest.order),
  };
  guest.state = { ...guest.state, kept };
  return { ...guest.settlePhase(kind, state.phase), kept };
}

export async function performUndoRestore(guest: GuestAtWork, { kind, id }: OperationRequest): Promise<OperationResult> {
  const { spec, before, state } = guest;
  const { kept } = state;
  // After a restore whose undo could not finish, the former disk may be there although the guest's state has none.
  if (kept?.role !== 'former' && state.error?.type !== 'NeedsCleanup')
    throw refuse('NotFound', `${spec.name} has no disk of before a restore`);
  const formerBytes = kept?.diskBytes ?? spec.size.diskBytes;
  // After a reinstall the guest is again what it was.
  const back = kept?.system === undefined ? spec : withSystem(spec, kept.system);
  const input = { spec: back, former: spec, before, formerBytes };
  await guest.runChild(kind, id, (options) => executeChild(undoRestore, { ...options, args: [input] }));
  const now = new Date().toISOString();
  const { backup = '', takenAt = now } = kept ?? {};
  const system = kept?.system === undefined ? undefined : systemOf(spec);
  const golden = kept?.system === undefined ? state.golden : kept.golden;
  const other = system === undefined ? undefined : state.golden;
  const { diskBytes } = spec.size;
  const { hostname: _now, ...others } = guest.state;
  const keptNow = { role: 'restored', backup, takenAt, diskBytes, keptUntil: daysFromNow(TAKEN_BACK_KEPT_DAYS) } as const;
  guest.state = withGolden(
    {
      ...others,
      ...defined({ hostname: back.hostname }),
      spec: back,
      kept: { ...keptNow, ...defined({ system, golden: other }) },
    },
    golden,
  );
  return guest.settlePhase(kind, state.phase);
}

export async function performKeepRestored(guest: GuestAtWork, { kind, id }: OperationRequest): Promise<OperationResult> {
  const { spec, state } = guest;
  await guest.runChild(kind, id, (options) => executeChild(keepRestored, { ...options, args: [spec] }));
  const { kept: _gone, ...rest } = guest.state;
  guest.state = rest;
  guest.setPhase(state.phase);
  return { kind, phase: state.phase };
}

for (const workflow of [restoreGuest, undoRestore, keepRestored]) declareVersioning('PINNED', workflow);
