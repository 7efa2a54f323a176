/** restoreElsewhere: a guest whose dom0 is lost is made on another one, as itself, from a backup that lies there. */
import { executeChild } from '@temporalio/workflow';
import { defined } from '../../../contract/defined.ts';
import { formatSize } from '../../../contract/sizes.ts';
import type { BackupRecord } from '../../../contract/backup.ts';
import type { WantedBackup } from '../../../contract/chosen-backup.ts';
import type { GuestOrder, GuestOrigin, GuestRef, GuestSpec } from '../../../contract/guest.ts';
import type { OperationRequest, OperationResult } from '../../../contract/guest-requests.ts';
import type { BootResult, ForeignBackup } from '../../../contract/step-results.ts';
import { Operation } from '../../saga/operation.ts';
import { control, dom0Steps, type Dom0Steps } from '../../saga/proxies.ts';
import { declareVersioning } from '../../saga/versioning.ts';
import { refuse, type GuestAtWork } from '../at-work.ts';
import { FIRST_BACKUP } from '../first-backup.ts';
import { livingElsewhere, restoredOn, type RestoredElsewhere } from '../lost.ts';
import { onCrashOf, withKept } from '../rules.ts';
import { bytesBeside } from '../state.ts';
import { nightlyOf, refOf } from './shared.ts';

const STEPS = ['reserve', 'choose', 'plan', 'restore-volumes', 'cfg-fix', 'boot', 'autostart', 'nightly-backup', 'give-back'];

interface Elsewhere {
  /** As it was on the dom0 that is lost. */
  readonly former: GuestSpec;
  /** Of the disks that it had there beside its own. */
  readonly besideBytes: number;
  readonly dom0: string;
  readonly wanted: WantedBackup;
}

/** What another dom0 is asked for: the guest as it was, with its address. Its password was sealed for the lost dom0; the one on the disk stays. */
function orderOn(former: GuestSpec, dom0: string): GuestOrder {
  const { network, access, origin: _former, ...rest } = former;
  const { ip, mac, netmask, gateway } = network;
  const { sealedPassword: _box, ...open } = access;
  // guestflow's key to a managed guest was on the lost dom0 only.
  return { ...rest, dom0, access: { ...open, managed: false }, network: { ip, mac, netmask, gateway } };
}

/** Nothing of the guest may be there from before: its disks would be taken for those that are to be made. */
async function chooseBackup(host: Dom0Steps['host'], order: GuestOrder, wanted: WantedBackup): Promise<ForeignBackup> {
  const { name, dom0 } = order;
  const found = await host.findForeign({ name, order: order.order, ...wanted });
  const left = await host.leftoversOf({ name, order: order.order, dom0 });
  if (left.length === 0) return found;
  throw refuse(
    'NotOurs',
    `dom0 ${dom0} has of ${name} from before: ${left.join(', ')}. "guestflow dom0 audit ${dom0} --clean" removes that`,
    'dom0',
  );
}

/** A restore while it runs: its steps, each with its undo. */
interface Restoring {
  readonly operation: Operation;
  readonly steps: Dom0Steps;
  /** Of the guest on the dom0 that gets it. */
  readonly ref: GuestRef;
}

/** If it fails, the guest is lost as before: nothing of it is on that dom0, and both ledgers are as they were. */
export async function restoreElsewhere({ former, besideBytes, dom0, wanted }: Elsewhere): Promise<RestoredElsewhere> {
  const ref = { ...refOf(former), dom0 };
  const operation = new Operation(`Restoring **${former.name}** of ${former.dom0}, which is lost, on ${dom0}`, STEPS);
  const restoring: Restoring = { operation, ref, steps: dom0Steps(dom0, former.name, operation.onWaiting) };
  return operation.run(async () => {
    const { planned, backup } = await planSteps(restoring, orderOn(former, dom0), wanted);
    const boot = await diskSteps(restoring, planned);
    const scheduleId = await operation.step(
      'nightly-backup',
      () => control.scheduleNightly(nightlyOf(planned)),
      () => control.unscheduleNightly(ref),
    );
    await operation.step(
      'give-back',
      () => control.leaveDom0(refOf(former)),
      () => control.changeReservation(withKept(former, besideBytes), true),
    );
    const { origin: _itself, ...made } = planned;
    const spec = { ...made, ...defined({ origin: former.origin }) };
    return { spec, backup, scheduleId, warnings: warningsOf(former, boot.warning) };
  });
}

/** Nothing is made on the dom0 yet: all that may be refused is refused here. */
async function planSteps(
  { operation, steps: { host, undo }, ref }: Restoring,
  order: GuestOrder,
  wanted: WantedBackup,
): Promise<{ readonly planned: GuestSpec; readonly backup: BackupRecord }> {
  const lease = await operation.firstStep(
    'reserve',
    () => control.reserveWithLease(order),
    () => control.leaveDom0(ref),
    ({ ip, bridge }) => `${ip} on ${bridge}`,
  );
  const { record, dom0: takenBy } = await operation.step(
    'choose',
    () => chooseBackup(host, order, wanted),
    [],
    (chosen) => chosen.record.id,
  );
  const origin: GuestOrigin = { guest: order.name, order: order.order, backup: record.id, dom0: takenBy, isItself: true };
  const planned = await operation.step(
    'plan',
    () => host.planGuest({ order: { ...order, origin }, lease }),
    () => undo.removeGuestState(ref),
    ({ network }) => `nobody answers at ${network.ip}`,
  );
  return { planned, backup: record };
}

async function diskSteps({ operation, steps: { host, bulk, undo, undoBulk }, ref }: Restoring, planned: GuestSpec): Promise<BootResult> {
  await operation.step(
    'restore-volumes',
    async () => {
      const made = await bulk.restoreVolumes(planned);
      await host.recogniseGuest({ spec: planned });
      return made;
    },
    () => undoBulk.removeVolumes(ref),
    ({ copiedBytes }) => `${formatSize(copiedBytes)}, the same as what was saved`,
  );
  await operation.step(
    'cfg-fix',
    () => host.fixCfg({ spec: planned, disks: 'volume', onCrash: 'destroy' }),
    () => undo.removeCfg(ref),
  );
  const boot = await operation.step(
    'boot',
    () => host.bootGuest(planned),
    () => undo.destroyGuest(ref),
    ({ seconds }) => `started in ${seconds} s`,
  );
  await operation.step(
    'autostart',
    async () => {
      await host.fixCfg({ spec: planned, disks: 'volume', onCrash: onCrashOf(planned) });
      return host.enableAutostart(ref);
    },
    () => undo.disableAutostart(ref),
  );
  return boot;
}

function warningsOf({ access, dom0 }: GuestSpec, ofBoot: string | undefined): string[] {
  const sealed = `it was managed, and counts as sealed: guestflow's key to it was lost with dom0 ${dom0}`;
  return [...(access.managed ? [sealed] : []), ...(ofBoot === undefined ? [] : [ofBoot])];
}

/** The guest must have answered before it counts as restored. One that was off is switched off again by the operation that comes next. */
export async function performRestoreElsewhere(guest: GuestAtWork, request: OperationRequest): Promise<OperationResult> {
  const { kind, id, dom0, backup, at } = request;
  const { state, spec: former } = guest;
  if (dom0 === undefined) throw refuse('InvalidInput', `${kind} of ${former.name} needs the name of a dom0`, 'dom0');
  if (dom0 === state.dom0) throw refuse('InvalidInput', `${former.name} cannot be restored on ${dom0}: that dom0 is lost`, 'dom0');
  guest.state = restoredOn(guest.state, dom0);
  guest.setPhase(state.phase);
  const input: Elsewhere = { former, dom0, wanted: defined({ backup, at }), besideBytes: bytesBeside(state) };
  let made: RestoredElsewhere;
  try {
    made = await guest.runChild(kind, id, (options) => executeChild(restoreElsewhere, { ...options, args: [input] }));
  } catch (error) {
    guest.state = restoredOn(guest.state, undefined);
    guest.setPhase(state.phase);
    throw error;
  }
  guest.state = livingElsewhere(guest.state, made, Date.now());
  const from = state.lost?.from;
  if (from === 'stopped' || from === 'suspended') guest.askFor({ kind: from === 'stopped' ? 'stop' : 'suspend', id: `as-before-${id}` });
  guest.askFor({ ...FIRST_BACKUP, id: `${FIRST_BACKUP.id}-${id}` });
  return { ...guest.settlePhase(kind, 'running'), backup: made.backup };
}

declareVersioning('PINNED', restoreElsewhere);
