/** rescue: a system of guestflow's in a guest's place, with the guest's own disks beside it. unrescue: back to the guest's own. */
import { CancellationScope, executeChild } from '@temporalio/workflow';
import type { OperationRequest, OperationResult, RescueAccess } from '../../../contract/guest-requests.ts';
import type { GuestSpec } from '../../../contract/guest.ts';
import { defined } from '../../../contract/defined.ts';
import { RESCUE_BYTES, rescueOf } from '../../../contract/rescue.ts';
import { formatSize } from '../../../contract/sizes.ts';
import { Operation, rootFailure } from '../../saga/operation.ts';
import { control, dom0Steps } from '../../saga/proxies.ts';
import { declareVersioning } from '../../saga/versioning.ts';
import { refuse, type GuestAtWork } from '../at-work.ts';
import { withKept } from '../rules.ts';
import { withWarning } from '../state.ts';
import { startSteps } from './power.ts';
import { OFF, refOf, type Before } from './shared.ts';

/** What a rescue begins with. */
interface Rescue {
  readonly spec: GuestSpec;
  /** The guest as its rescue system has it. */
  readonly system: GuestSpec;
  readonly before: Before;
  /** Bytes of the disks that it has beside its own, that of a rescue system left out. */
  readonly besideBytes: number;
}

/**
 * Makes the rescue system while the guest goes on, stops the guest, and starts it. If that fails, the guest is as it was; whether it answers then is not
 * asked, since it need not have answered before.
 */
export async function rescueGuest(input: Rescue): Promise<void> {
  const { spec, system, before, besideBytes } = input;
  const ref = refOf(spec);
  const operation = new Operation(`Rescue of **${spec.name}** on ${spec.dom0}`, [
    'reserve',
    'golden-root',
    'disk',
    'autostart',
    'stop',
    'start',
  ]);
  const { host, bulk, undo, undoBulk } = dom0Steps(spec.dom0, spec.name, operation.onWaiting);
  await operation.run(async () => {
    await operation.firstStep(
      'reserve',
      () => control.changeReservation(withKept(spec, besideBytes + RESCUE_BYTES)),
      () => control.changeReservation(withKept(spec, besideBytes), true),
    );
    await operation.step(
      'golden-root',
      () => bulk.ensureGoldenRoot(system),
      () => undoBulk.discardHalfGolden({ dist: spec.os.dist, ...defined({ mirror: spec.os.mirror }) }),
    );
    await operation.step(
      'disk',
      () => bulk.makeRescue(system),
      () => undoBulk.dropRescue(ref),
      ({ bytes }) => formatSize(bytes),
    );
    // Neither of the two systems is to start with its dom0 by itself.
    await operation.step(
      'autostart',
      () => host.disableAutostart(ref),
      async () => (before.isAutostarted ? undo.enableAutostart(ref) : undefined),
    );
    await operation.step(
      'stop',
      () => host.stopGuest(ref),
      async () => (before.isRunning ? undo.turnOnGuest(spec) : undefined),
      ({ how }) => how,
    );
    await operation.step(
      'start',
      () => host.bootRescue(system),
      () => undo.destroyGuest(ref),
      ({ seconds, guestRoot }) => `answered after ${seconds} s; the guest's root disk is ${guestRoot}`,
    );
  });
}

/** What an unrescue begins with. */
interface Unrescue extends Pick<Rescue, 'spec' | 'besideBytes'> {
  /** The rescue system runs, and the guest is to. Default: the rescue system only ends. */
  readonly starts?: true;
  /** Only what is left of the rescue system is removed. */
  readonly isOver?: true;
}

/** What is left of it: why its disk could not be removed. */
interface Unrescued {
  readonly left?: string;
}

/**
 * Ends the rescue system, starts the guest from its own disks, then removes the disk of the rescue system. If the guest does not come up, the rescue system
 * is started again.
 */
export async function unrescueGuest(input: Unrescue): Promise<Unrescued> {
  const { spec, starts, isOver } = input;
  const ref = refOf(spec);
  const operation = new Operation(`Back from the rescue of **${spec.name}** on ${spec.dom0}`, [
    ...(isOver === true ? [] : ['stop']),
    ...(starts === true ? ['start', 'autostart'] : []),
    ...['disk', 'give-back'],
  ]);
  const { host, undo } = dom0Steps(spec.dom0, spec.name, operation.onWaiting);
  await operation.run(async () => {
    if (isOver === true) return;
    await operation.step(
      'stop',
      () => host.stopGuest(ref),
      () => undo.bootRescue(spec),
      ({ how }) => how,
    );
    if (starts === true) await startSteps(operation, spec, OFF);
  });
  return remove(operation, input);
}

/** From here on nothing is undone, and a cancel comes too late: what cannot be removed is no failure of what was asked for. It is tried once more. */
async function remove(operation: Operation, { spec, besideBytes }: Unrescue): Promise<Unrescued> {
  const ref = refOf(spec);
  const { bulk, undoBulk } = dom0Steps(spec.dom0, spec.name, operation.onWaiting);
  const removeBy = async ({ dropRescue }: Pick<typeof bulk, 'dropRescue'>): Promise<void> => {
    await operation.step('disk', () => dropRescue(ref));
    await operation.step('give-back', () => control.changeReservation(withKept(spec, besideBytes), true));
  };
  try {
    await removeBy(bulk).catch(() => CancellationScope.nonCancellable(() => removeBy(undoBulk)));
    return {};
  } catch (error) {
    const reason = rootFailure(error).message;
    return { left: `the disk of the rescue system of ${spec.name} is still on ${spec.dom0}: ${reason}; unrescue removes it` };
  }
}

/** Who may log in, of which somebody must be able to. */
function systemOf(spec: GuestSpec, wish: RescueAccess): GuestSpec {
  if (wish.sealedPassword !== undefined && wish.sealedPassword[spec.dom0] === undefined)
    throw refuse('InvalidInput', `the password is not sealed for dom0 ${spec.dom0}`, 'password');
  const system = rescueOf(spec, wish);
  const { sshKeys, sealedPassword } = system.access;
  if (sshKeys.length === 0 && sealedPassword === undefined)
    throw refuse('InvalidInput', `nobody could log in to the rescue system of ${spec.name}: it needs a password, or keys`, 'password');
  return system;
}

export async function performRescue(guest: GuestAtWork, { kind, id, rescue = {} }: OperationRequest): Promise<OperationResult> {
  const { spec } = guest;
  const system = systemOf(spec, rescue);
  await endRescue(guest, id);
  const { before, state } = guest;
  const input = { spec, system, before, besideBytes: state.kept?.diskBytes ?? 0 };
  await guest.runChild(kind, id, (options) => executeChild(rescueGuest, { ...options, args: [input] }));
  guest.state = { ...guest.state, rescue: { since: new Date().toISOString(), diskBytes: RESCUE_BYTES } };
  return guest.settlePhase(kind, 'rescue');
}

export async function performUnrescue(guest: GuestAtWork, { kind, id }: OperationRequest): Promise<OperationResult> {
  const { phase, rescue } = guest.state;
  if (phase === 'rescue') return leave(guest, { kind, id }, { starts: true });
  if (rescue === undefined) return { kind, phase };
  return leave(guest, { kind, id }, { isOver: true });
}

/**
 * For what is done with a guest in its rescue system that needs no such system: ends it, so that the guest is off. Of any other guest it does nothing.
 *
 * @param id of what is done
 */
export async function endRescue(guest: GuestAtWork, id: string): Promise<void> {
  if (guest.state.phase === 'rescue') await leave(guest, { kind: 'unrescue', id: `for-${id}` }, {});
}

async function leave(
  guest: GuestAtWork,
  { kind, id }: Pick<OperationRequest, 'kind' | 'id'>,
  how: Pick<Unrescue, 'starts' | 'isOver'>,
): Promise<OperationResult> {
  const { spec, state } = guest;
  const input = { spec, besideBytes: state.kept?.diskBytes ?? 0, ...how };
  const { left } = await guest.runChild(kind, id, (options) => executeChild(unrescueGuest, { ...options, args: [input] }));
  const { rescue: _removed, ...rest } = guest.state;
  guest.state = left === undefined ? rest : withWarning(guest.state, left);
  return guest.settlePhase(kind, how.isOver === true ? state.phase : how.starts === true ? 'running' : 'stopped');
}

for (const workflow of [rescueGuest, unrescueGuest]) declareVersioning('PINNED', workflow);
