/** Which operation a guest takes in which phase, and what happens to one that comes while another runs. */
import { whyNotBytes } from '../../contract/field-checks.ts';
import type { GuestPhase, GuestSpec } from '../../contract/guest.ts';
import type { AccessChange, DiskChange, PlanChange } from '../../contract/guest-requests.ts';
import type { OperationKind } from '../../contract/operations.ts';
import { OPERATION_KINDS, operationRecord } from '../../contract/operations.ts';
import { formatSize } from '../../contract/sizes.ts';

/** The server takes at most ten updates of a workflow at a time. */
const LONGEST_QUEUE = 5;

/**
 * Why an operation is refused, or undefined when it may run or wait.
 *
 * @param running kind of the operation that runs, if any.
 * @param queued how many there are already, the running one included.
 */
export function mayRun(kind: OperationKind, phase: GuestPhase, running: string | undefined, queued: number): string | undefined {
  const { phases, waits } = operationRecord(kind);
  if (queued >= LONGEST_QUEUE) return `${queued} operations wait already`;
  if (running !== undefined && waits !== true) return `${running} runs; wait for it, or cancel it`;
  if (running !== undefined && phase !== 'provisioning') return undefined;
  if (phases.includes(phase)) return undefined;
  if (phase === 'rescue') return 'the guest is in its rescue system; unrescue brings it back';
  return `the guest is ${phase}`;
}

/**
 * Why a guest cannot be given this plan; undefined if it can. A smaller disk is refused: that is an operation of its own, which takes a backup first.
 *
 * @param needsRestart the guest runs and its disk must grow. Whether memory and vcpus need a restart, the dom0 finds out.
 */
export function whyNotChange(from: GuestSpec, to: PlanChange, needsRestart: boolean): string | undefined {
  if (to.diskBytes < from.size.diskBytes)
    return `plan ${to.plan} has a disk of ${formatSize(to.diskBytes)}, ${formatSize(from.size.diskBytes - to.diskBytes)} less than ${from.name} has now: a change of plan makes no disk smaller (guestflow resize does)`;
  if (needsRestart && !to.mayRestart)
    return `${from.name} runs, and a change to plan ${to.plan} needs a restart, which the request does not allow`;
  return undefined;
}

/** Whether the disk is changed while the guest goes on. Root in a managed guest is guestflow's, too, so its file system can be grown there. */
export function howToResize({ size, access }: GuestSpec, { diskBytes, how }: DiskChange, isRunning: boolean): 'live' | 'offline' {
  if (!isRunning || diskBytes < size.diskBytes) return 'offline';
  return how ?? (access.managed ? 'live' : 'offline');
}

/** Why a guest's disk cannot be given this size; undefined if it may be. Whether its content fits, its dom0 finds out. */
export function whyNotResize(from: GuestSpec, resize: DiskChange, isRunning: boolean): string | undefined {
  const { name, size, access } = from;
  const { diskBytes, how } = resize;
  const wrong = whyNotBytes('disk', diskBytes);
  if (wrong !== undefined) return `disk ${formatSize(diskBytes)} ${wrong}`;
  const isLess = diskBytes < size.diskBytes;
  const change = `from ${formatSize(size.diskBytes)} to ${formatSize(diskBytes)}`;
  if (isLess && how === 'live') return `the disk of ${name} cannot go ${change} while ${name} runs`;
  if (!isRunning && how === 'live') return `${name} does not run: its disk is changed without --live`;
  if (!isRunning || how !== undefined) return undefined;
  if (isLess) return `${name} runs, and must be off for its disk to go ${change}: --offline stops it, and starts it again`;
  if (access.managed) return undefined;
  return `${name} runs and is sealed, so guestflow cannot grow the file system in it: --offline stops it for that, and starts it again; --live grows its disk only, and its owner runs resize2fs`;
}

/** Whether root's access is changed while the guest goes on: root in a managed guest is guestflow's, too. */
export function howToChangeAccess({ access }: GuestSpec, { how }: AccessChange, isRunning: boolean): 'live' | 'offline' {
  return isRunning && access.managed && how !== 'offline' ? 'live' : 'offline';
}

/** Why root's access to a guest cannot be changed now; undefined if it can. */
export function whyNotChangeAccess({ name, access }: GuestSpec, { how }: AccessChange, isRunning: boolean): string | undefined {
  if (!isRunning || access.managed || how === 'offline') return undefined;
  return `${name} runs and is sealed, so guestflow cannot log in to it: --offline stops it for that, and starts it again; or its owner changes it in the guest`;
}

const LEAVING_DOMAIN: readonly string[] = OPERATION_KINDS.filter((kind) => operationRecord(kind).leavesDomain === true);

/** Whether an operation does nothing to the guest's domain. */
export function leavesDomain(kind: string): boolean {
  return LEAVING_DOMAIN.includes(kind);
}

/** What a guest takes while a second disk of so many bytes is kept for it. */
export function withKept(spec: GuestSpec, diskBytes = 0): GuestSpec {
  return { ...spec, size: { ...spec.size, diskBytes: spec.size.diskBytes + diskBytes } };
}

/** How a guest in this phase is on its dom0: only one that runs starts with it. */
export function beforeOf(phase: GuestPhase): { isRunning: boolean; isAutostarted: boolean } {
  return { isRunning: phase === 'running', isAutostarted: phase === 'running' };
}

/** What Xen itself does when the guest crashes, once it has answered from its own disks. */
export function onCrashOf({ life }: Pick<GuestSpec, 'life'>): 'restart' | 'destroy' {
  return life.restart === 'never' ? 'destroy' : 'restart';
}
