/**
 * setPassword, setKeys and setHostname: who may log in to a guest that exists, and the name that it has. It is set while the guest runs, where guestflow can
 * log in to it; else on its disk, while it is off.
 */
import { CancellationScope, executeChild } from '@temporalio/workflow';
import type { AccessPart } from '../../../contract/access-parts.ts';
import type { GuestSpec } from '../../../contract/guest.ts';
import type { AccessChange, OperationRequest, OperationResult } from '../../../contract/guest-requests.ts';
import type { OperationKind } from '../../../contract/operations.ts';
import { defined } from '../../../contract/defined.ts';
import { whyNotHostname } from '../../../contract/host-name.ts';
import { Operation, rootFailure } from '../../saga/operation.ts';
import { dom0Steps } from '../../saga/proxies.ts';
import { declareVersioning } from '../../saga/versioning.ts';
import { refuse, type GuestAtWork } from '../at-work.ts';
import { withWarning } from '../state.ts';
import { howToChangeAccess, whyNotChangeAccess } from '../rules.ts';
import { startSteps, switchOffSteps } from './power.ts';
import { OFF, type Before } from './shared.ts';

interface Change {
  readonly from: GuestSpec;
  readonly to: GuestSpec;
  readonly before: Before;
  readonly how: 'live' | 'offline';
  /** Id of the change, by which its undo knows what it has replaced. */
  readonly change: string;
  readonly part: AccessPart;
}

/** What is left of it: a warning, if what it had kept for its undo could not be wiped. */
interface Changed {
  readonly left?: string;
}

/** Sets what `to` says, and brings the former file back if a part fails. A guest that is stopped for it is started again before it counts as done. */
export async function changeAccess(input: Change): Promise<Changed> {
  const { from, to, before, how } = input;
  const isRestarted = before.isRunning && how === 'offline';
  const operation = new Operation(`Access to **${from.name}** on ${from.dom0}`, [
    ...(isRestarted ? ['autostart-off', 'stop', 'access', 'start', 'autostart'] : ['access']),
    'forget',
  ]);
  return operation.run(async () => {
    if (isRestarted) await switchOffSteps(operation, from, before, 'stop', 'autostart-off');
    await accessStep(operation, input);
    if (isRestarted) await startSteps(operation, to, OFF);
    return forget(operation, to);
  });
}

async function accessStep(operation: Operation, { from, to, how, part, change }: Change): Promise<void> {
  const { host, bulk, undo, undoBulk } = dom0Steps(from.dom0, from.name, operation.onWaiting);
  await operation.step(
    'access',
    () => (how === 'live' ? host.changeAccessLive({ spec: to, part, change }) : bulk.changeAccessOffline({ spec: to, part, change })),
    () => (how === 'live' ? undo.undoAccessLive({ spec: from, part, change }) : undoBulk.undoAccessOffline({ spec: from, part, change })),
    () => (how === 'live' ? 'in the guest, which goes on' : 'on its disk'),
  );
}

/**
 * From here on nothing is undone: a cancel comes too late, and what cannot be wiped is no failure of what was asked for. It is tried once more, as long as
 * an undo is.
 */
async function forget(operation: Operation, spec: GuestSpec): Promise<Changed> {
  const { host, undo } = dom0Steps(spec.dom0, spec.name, operation.onWaiting);
  try {
    await operation
      .step('forget', () => host.forgetAccess(spec))
      .catch(() => CancellationScope.nonCancellable(() => operation.step('forget', () => undo.forgetAccess(spec))));
    return {};
  } catch (error) {
    return {
      left: `what root's access to ${spec.name} was before is still on dom0 ${spec.dom0}, for root only: ${rootFailure(error).message}; the next change wipes it`,
    };
  }
}

/** What each kind changes. */
const PARTS: Readonly<Partial<Record<OperationKind, AccessPart>>> = { setPassword: 'password', setKeys: 'keys', setHostname: 'hostname' };

/** The spec with what is asked for. */
const CHANGED: Readonly<Record<AccessPart, (from: GuestSpec, wish: AccessChange) => GuestSpec>> = {
  password(from, { sealedPassword }) {
    if (sealedPassword?.[from.dom0] === undefined)
      throw refuse('InvalidInput', `the password is not sealed for dom0 ${from.dom0}`, 'password');
    return { ...from, access: { ...from.access, sealedPassword } };
  },
  keys(from, { sshKeys }) {
    if (sshKeys === undefined) throw refuse('InvalidInput', 'setKeys needs the keys that root is to have', 'sshKeys');
    return { ...from, access: { ...from.access, sshKeys } };
  },
  hostname(from, { hostname }) {
    const reason = hostname === undefined ? 'is missing' : whyNotHostname(hostname);
    if (hostname === undefined || reason !== undefined) throw refuse('InvalidInput', `the host name ${reason ?? ''}`, 'hostname');
    return { ...from, hostname };
  },
};

export async function performAccess(guest: GuestAtWork, { kind, id, access }: OperationRequest): Promise<OperationResult> {
  const { spec: from, before } = guest;
  const part = PARTS[kind];
  if (access === undefined || part === undefined) throw refuse('InvalidInput', `${kind} needs what is to be set`, 'access');
  const reason = whyNotChangeAccess(from, access, before.isRunning);
  if (reason !== undefined) throw refuse('InvalidInput', reason, 'how');
  const to = CHANGED[part](from, access);
  const input = { from, to, before, how: howToChangeAccess(from, access, before.isRunning), part, change: id };
  const { left } = await guest.runChild(kind, id, (options) => executeChild(changeAccess, { ...options, args: [input] }));
  guest.state = { ...withWarning(guest.state, left), spec: to, ...defined({ hostname: to.hostname }) };
  return guest.settlePhase(kind, guest.state.phase);
}

declareVersioning('PINNED', changeAccess);
