/** start, stop, destroy and reboot; and the steps to switch a guest on and off, which other operations use, too. */
import type { GuestSpec } from '../../../contract/guest.ts';
import type { OperationRequest, OperationResult } from '../../../contract/guest-requests.ts';
import { executeChild } from '@temporalio/workflow';
import { Operation } from '../../saga/operation.ts';
import { dom0Steps } from '../../saga/proxies.ts';
import { declareVersioning } from '../../saga/versioning.ts';
import type { GuestAtWork } from '../at-work.ts';
import { refOf, type Before } from './shared.ts';

type Power = 'start' | 'stop' | 'destroy' | 'reboot';

/** start, stop, destroy and reboot. A stopped guest must not start with its dom0, so stopping it removes its autostart link. */
export async function powerGuest(input: { spec: GuestSpec; action: Power; before: Before }): Promise<void> {
  const { spec, action, before } = input;
  if (action === 'start') return startGuest(spec, before);
  if (action === 'reboot') return rebootGuest(spec);
  const operation = new Operation(`${action} **${spec.name}** on ${spec.dom0}`, ['autostart', action]);
  return switchOff(operation, spec, before, action);
}

type SwitchOff = 'stop' | 'destroy' | 'pause';

export async function switchOff(operation: Operation, spec: GuestSpec, before: Before, how: SwitchOff): Promise<void> {
  await operation.run(() => switchOffSteps(operation, spec, before, how));
}

/**
 * Removes the link first: if the dom0 rebooted in between, xendomains would start the guest again.
 *
 * @param linkStep name of that step, where another one is called `autostart`. Default: `autostart`.
 */
export async function switchOffSteps(
  operation: Operation,
  spec: GuestSpec,
  before: Before,
  how: SwitchOff,
  linkStep = 'autostart',
): Promise<void> {
  const ref = refOf(spec);
  const { host, undo } = dom0Steps(spec.dom0, spec.name, operation.onWaiting);
  await operation.step(
    linkStep,
    () => host.disableAutostart(ref),
    async () => (before.isAutostarted ? undo.enableAutostart(ref) : undefined),
  );
  const bringBack = async (): Promise<unknown> => {
    if (!before.isRunning) return undefined;
    if (how === 'pause') await undo.unpauseGuest(ref);
    return undo.bootGuest(spec);
  };
  if (how === 'stop')
    await operation.step(
      'stop',
      () => host.stopGuest(ref),
      bringBack,
      ({ how: done }) => done,
    );
  else await operation.step(how, () => (how === 'pause' ? host.pauseGuest(ref) : host.destroyGuest(ref)), bringBack);
}

export async function startGuest(spec: GuestSpec, before: Before, how: 'start' | 'unpause' = 'start'): Promise<void> {
  const operation = new Operation(`Starting **${spec.name}** on ${spec.dom0}`, ['start', 'autostart']);
  await operation.run(() => startSteps(operation, spec, before, how));
}

/** @param how `unpause`: the guest is paused, unless its dom0 was rebooted meanwhile */
export async function startSteps(operation: Operation, spec: GuestSpec, before: Before, how: 'start' | 'unpause' = 'start'): Promise<void> {
  const ref = refOf(spec);
  const { host, undo } = dom0Steps(spec.dom0, spec.name, operation.onWaiting);
  await operation.step(
    'start',
    async () => {
      if (how === 'unpause') await host.unpauseGuest(ref);
      return host.bootGuest(spec);
    },
    async () => {
      if (before.isRunning) return undefined;
      return how === 'unpause' ? undo.pauseGuest(ref) : undo.destroyGuest(ref);
    },
    ({ seconds, warning }) => warning ?? `answered after ${seconds} s`,
  );
  await operation.step(
    'autostart',
    () => host.enableAutostart(ref),
    async () => (before.isAutostarted ? undefined : undo.disableAutostart(ref)),
  );
}

/** Its autostart link stays: should its dom0 restart in between, the guest starts with it, which is what was asked for. */
async function rebootGuest(spec: GuestSpec): Promise<void> {
  const operation = new Operation(`Restarting **${spec.name}** on ${spec.dom0}`, ['stop', 'start']);
  const { host, undo } = dom0Steps(spec.dom0, spec.name, operation.onWaiting);
  await operation.run(async () => {
    await operation.step(
      'stop',
      () => host.stopGuest(refOf(spec)),
      () => undo.bootGuest(spec),
      ({ how }) => how,
    );
    await operation.step(
      'start',
      () => host.bootGuest(spec),
      [],
      ({ seconds, warning }) => warning ?? `answered after ${seconds} s`,
    );
  });
}

export async function performPower(guest: GuestAtWork, { kind, id }: OperationRequest): Promise<OperationResult> {
  const action = kind === 'start' || kind === 'destroy' || kind === 'reboot' ? kind : 'stop';
  await guest.runChild(kind, id, (options) =>
    executeChild(powerGuest, { ...options, args: [{ spec: guest.spec, action, before: guest.before }] }),
  );
  return guest.settlePhase(kind, action === 'start' || action === 'reboot' ? 'running' : 'stopped');
}

declareVersioning('PINNED', powerGuest);
