/** resize: another size of a guest's disk. It grows while the guest runs, where that can be; else, and to become smaller, the guest is off. */
import { executeChild, isCancellation } from '@temporalio/workflow';
import { defined } from '../../../contract/defined.ts';
import { formatSize } from '../../../contract/sizes.ts';
import type { BackupRecord } from '../../../contract/backup.ts';
import type { GuestSpec } from '../../../contract/guest.ts';
import type { OperationRequest, OperationResult, Resized } from '../../../contract/guest-requests.ts';
import type { FileSystemResult } from '../../../contract/step-results.ts';
import { Operation, rootFailure } from '../../saga/operation.ts';
import { control, dom0Steps } from '../../saga/proxies.ts';
import { declareVersioning } from '../../saga/versioning.ts';
import { refuse, type GuestAtWork } from '../at-work.ts';
import { withWarning } from '../state.ts';
import { howToResize, whyNotResize, withKept } from '../rules.ts';
import { keepBackup } from './backup.ts';
import { startSteps, switchOffSteps } from './power.ts';
import { OFF, refOf, type Before } from './shared.ts';

interface Resize {
  readonly from: GuestSpec;
  readonly to: GuestSpec;
  readonly before: Before;
  /** Of a second disk that is kept for it. */
  readonly keptBytes?: number;
}

/** What came of it. */
interface ResizeDone extends Pick<Resized, 'fileSystemBytes' | 'left'> {
  readonly backup?: BackupRecord;
}

/** Stops the guest if it runs, does the work, and starts it again. It must not start with its dom0 from a disk that is half changed. */
async function whileOff(operation: Operation, { from, to, before }: Resize, work: () => Promise<void>): Promise<void> {
  if (before.isRunning) await switchOffSteps(operation, from, before, 'stop', 'autostart-off');
  await work();
  if (before.isRunning) await startSteps(operation, to, OFF);
}

function namesOf({ before }: Resize, first: readonly string[], last: readonly string[] = []): string[] {
  return [...first, ...(before.isRunning ? ['autostart-off', 'stop', 'disk', 'start', 'autostart'] : ['disk']), ...last];
}

function titleOf({ from, to }: Resize): string {
  return `Disk of **${from.name}** on ${from.dom0}: ${formatSize(from.size.diskBytes)} → ${formatSize(to.size.diskBytes)}`;
}

function reserveStep(operation: Operation, { from, to, keptBytes }: Resize): Promise<void> {
  return operation.firstStep(
    'reserve',
    () => control.changeReservation(withKept(to, keptBytes)),
    () => control.changeReservation(withKept(from, keptBytes), true),
  );
}

/** The disk grows while the guest goes on. That its file system could not is no failure: what was asked for is there, and only the guest can go on. */
async function growLive(input: Resize): Promise<ResizeDone> {
  const { from, to } = input;
  const operation = new Operation(titleOf(input), ['reserve', 'disk', 'file-system']);
  const { host, bulk, undoBulk } = dom0Steps(from.dom0, from.name, operation.onWaiting);
  return operation.run(async () => {
    await reserveStep(operation, input);
    await operation.step(
      'disk',
      () => bulk.growDiskInUse({ spec: from, bytes: to.size.diskBytes }),
      () => undoBulk.undoGrowInUse({ spec: from, bytes: from.size.diskBytes }),
      () => formatSize(to.size.diskBytes),
    );
    const grown = await operation
      .step(
        'file-system',
        () => host.growFileSystem({ spec: to, bytes: to.size.diskBytes }),
        [],
        ({ bytes = 0, left }: FileSystemResult) => left ?? formatSize(bytes),
      )
      .catch((error: unknown): FileSystemResult => {
        if (isCancellation(error)) throw error;
        return { left: `the file system of ${from.name} was not grown: ${rootFailure(error).message}` };
      });
    return defined({ fileSystemBytes: grown.bytes, left: grown.left });
  });
}

async function growOffline(input: Resize): Promise<ResizeDone> {
  const { from, to } = input;
  const ref = refOf(from);
  const operation = new Operation(titleOf(input), namesOf(input, ['reserve']));
  const { bulk, undoBulk } = dom0Steps(from.dom0, from.name, operation.onWaiting);
  await operation.run(async () => {
    await reserveStep(operation, input);
    await whileOff(operation, input, () =>
      operation.step(
        'disk',
        () => bulk.growDisk({ ref, bytes: to.size.diskBytes }),
        () => undoBulk.shrinkDisk({ ref, bytes: from.size.diskBytes }),
      ),
    );
  });
  return {};
}

/** The room that becomes free is given back last: until then the undo, which grows the disk back, has its room. */
async function shrink(input: Resize): Promise<ResizeDone> {
  const { from, to, keptBytes } = input;
  const ref = refOf(from);
  const operation = new Operation(titleOf(input), namesOf(input, ['look', 'backup'], ['give-back']));
  const { bulk, undo, undoBulk } = dom0Steps(from.dom0, from.name, operation.onWaiting);
  const bytes = to.size.diskBytes;
  return operation.run(async () => {
    await operation.step(
      'look',
      () => bulk.tryReducing({ ref, bytes }),
      () => undo.undoBackup(ref),
      () => 'it fits',
    );
    const backup = await operation.step(
      'backup',
      () => bulk.takeBackup(from),
      () => undo.undoBackup(ref),
      ({ id, state }) => `${id}, ${state}`,
    );
    if (backup.state === 'taken') throw refuse('BackupUnusable', `backup ${backup.id} was not verified: the disk stays as it is`);
    await whileOff(operation, input, () =>
      operation.step(
        'disk',
        () => bulk.reduceDisk({ ref, bytes }),
        () => undoBulk.growDisk({ ref, bytes: from.size.diskBytes }),
      ),
    );
    await operation.step(
      'give-back',
      () => control.changeReservation(withKept(to, keptBytes)),
      () => control.changeReservation(withKept(from, keptBytes), true),
    );
    return { backup };
  });
}

/** resize: see `growLive`, `growOffline` and `shrink`. */
export async function resizeGuest(input: Resize & { readonly how: Resized['how'] }): Promise<ResizeDone> {
  const { from, to, how } = input;
  if (to.size.diskBytes < from.size.diskBytes) return shrink(input);
  return how === 'live' ? growLive(input) : growOffline(input);
}

export async function performResize(guest: GuestAtWork, { kind, id, resize }: OperationRequest): Promise<OperationResult> {
  const { spec: from, before, state } = guest;
  if (resize === undefined) throw refuse('InvalidInput', 'resize needs the size of the disk', 'disk');
  const reason = whyNotResize(from, resize, before.isRunning);
  if (reason !== undefined) throw refuse('InvalidInput', reason, 'disk');
  const { diskBytes } = resize;
  if (state.kept !== undefined && diskBytes < from.size.diskBytes)
    throw refuse(
      'Busy',
      `a smaller disk of ${from.name} is refused: another one, of ${formatSize(state.kept.diskBytes)}, is kept for it until ${state.kept.keptUntil}; "undo-restore" brings it back, "keep-restored" gives it up`,
    );
  const how = howToResize(from, resize, before.isRunning);
  const to: GuestSpec = { ...from, size: { ...from.size, diskBytes } };
  const input = { from, to, before, how, ...defined({ keptBytes: state.kept?.diskBytes }) };
  const { backup, ...done } = await guest.runChild(kind, id, (options) => executeChild(resizeGuest, { ...options, args: [input] }));
  guest.state = { ...withWarning(guest.state, done.left), spec: to };
  if (backup !== undefined) keepBackup(guest, backup);
  const resized: Resized = { fromBytes: from.size.diskBytes, diskBytes, how, ...done };
  return { ...guest.settlePhase(kind, state.phase), resized, ...defined({ backup }) };
}

declareVersioning('PINNED', resizeGuest);
