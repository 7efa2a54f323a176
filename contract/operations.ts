/**
 * The operations on a guest that exists: one record a kind. Which phase takes it and where it leads, whether it waits for another, the commands, the
 * routes of `/v1` with their scopes and their document, what billing may ask for, and the drawing in docs/guest-life.md follow from it. The fault tests
 * play each of them: one that is added here needs a row there (`test/faults/operation-rows.ts`). Pure data, for workflows, too.
 */
import type { GuestPhase } from './guest.ts';
import type { OperationScope } from './operation-scopes.ts';

/** A kind of operation. */
export interface OperationRecord {
  /** Phases in which a guest takes it. */
  readonly phases: readonly GuestPhase[];
  /** The phase that it leads to. Default: it changes none. */
  readonly leadsTo?: readonly GuestPhase[];
  /** It waits while another runs. Default: it is refused then, since what the person saw who asked no longer holds. */
  readonly waits?: true;
  /** It does nothing to the guest's domain: one that ends meanwhile has ended by itself. */
  readonly leavesDomain?: true;
  /** Workflow type of its child workflow. */
  readonly workflow: string;
  /** The command that does it with no more than a guest's name. Its own name is that of the kind, unless it says another. */
  readonly command?: { readonly name?: string; readonly alias?: string; readonly summary: string; readonly description: string };
  /** Its route below `/v1/guests/{name}/`. */
  readonly api?: {
    readonly path: string;
    readonly summary: string;
    readonly scope: OperationScope;
    /** What a request may hold. */
    readonly takes:
      'Empty' | 'Terminate' | 'OneBackup' | 'Restore' | 'Reinstall' | 'Rescue' | 'Resize' | 'Password' | 'Keys' | 'Hostname' | 'ChangePlan';
  };
  /** Billing asks for it. */
  readonly billing?: true;
}

export const OPERATIONS = {
  start: {
    phases: ['running', 'stopped'],
    leadsTo: ['running'],
    workflow: 'powerGuest',
    command: { summary: 'start a guest', description: 'Starts a guest and waits until it answers.' },
    api: { path: 'start', summary: 'Start a guest', scope: 'guests:operate', takes: 'Empty' },
  },
  stop: {
    phases: ['running', 'stopped'],
    leadsTo: ['stopped'],
    workflow: 'powerGuest',
    command: {
      summary: 'shut a guest down',
      description: 'Shuts a guest down and waits until its domain has gone. One that does not stop in time is destroyed.',
    },
    api: { path: 'stop', summary: 'Shut a guest down', scope: 'guests:operate', takes: 'Empty' },
  },
  destroy: {
    phases: ['running', 'stopped'],
    leadsTo: ['stopped'],
    workflow: 'powerGuest',
    command: {
      summary: "end a guest's domain at once",
      description: "Ends a guest's domain at once, as pulling the plug does. Its disks stay.",
    },
    api: { path: 'destroy', summary: "End a guest's domain at once", scope: 'guests:operate', takes: 'Empty' },
  },
  reboot: {
    phases: ['running'],
    workflow: 'powerGuest',
    command: {
      summary: 'shut a guest down, and start it again',
      description:
        'Shuts a guest down, starts it again from its cfg, and waits until it answers. One that does not stop in time is destroyed, and started all the same.',
    },
    api: { path: 'reboot', summary: 'Shut a guest down, and start it again', scope: 'guests:operate', takes: 'Empty' },
  },
  backup: {
    phases: ['running', 'stopped', 'suspended'],
    waits: true,
    leavesDomain: true,
    workflow: 'backupGuest',
    api: { path: 'backup', summary: 'Back a guest up now', scope: 'guests:backup', takes: 'Empty' },
  },
  prune: { phases: ['running', 'stopped', 'suspended'], waits: true, leavesDomain: true, workflow: 'pruneGuest' },
  protect: {
    phases: ['running', 'stopped', 'suspended'],
    waits: true,
    leavesDomain: true,
    workflow: 'protectBackup',
    api: { path: 'protect', summary: 'Protect a backup from retention', scope: 'guests:backup', takes: 'OneBackup' },
  },
  unprotect: {
    phases: ['running', 'stopped', 'suspended'],
    waits: true,
    leavesDomain: true,
    workflow: 'protectBackup',
    api: { path: 'unprotect', summary: 'Leave a backup to retention again', scope: 'guests:backup', takes: 'OneBackup' },
  },
  prove: {
    phases: ['running', 'stopped', 'suspended'],
    waits: true,
    leavesDomain: true,
    workflow: 'proveBackup',
    api: {
      path: 'prove',
      summary: 'Start a restored copy of a backup, to see that it can be restored from',
      scope: 'guests:backup',
      takes: 'OneBackup',
    },
  },
  restore: {
    phases: ['running', 'stopped'],
    workflow: 'restoreGuest',
    api: { path: 'restore', summary: "Bring a guest's disk back from a backup", scope: 'guests:restore', takes: 'Restore' },
  },
  // Without a route of its own: it is what a restore that names a dom0 asks for.
  restoreElsewhere: { phases: ['lost'], leadsTo: ['running'], workflow: 'restoreElsewhere' },
  reinstall: {
    phases: ['running', 'stopped'],
    leadsTo: ['running'],
    workflow: 'reinstallGuest',
    api: { path: 'reinstall', summary: "Install a guest's system anew", scope: 'guests:reinstall', takes: 'Reinstall' },
  },
  rescue: {
    phases: ['running', 'stopped', 'rescue'],
    leadsTo: ['rescue'],
    workflow: 'rescueGuest',
    api: {
      path: 'rescue',
      summary: 'Start a guest in a rescue system, with its own disks beside it',
      scope: 'guests:rescue',
      takes: 'Rescue',
    },
  },
  unrescue: {
    phases: ['rescue', 'running', 'stopped'],
    leadsTo: ['running'],
    workflow: 'unrescueGuest',
    command: {
      summary: 'bring a guest back from its rescue system',
      description:
        'Ends the rescue system of a guest, starts the guest from its own disks, and removes the disk of the rescue system. If the guest does not come up, its rescue system is started again.',
    },
    api: { path: 'unrescue', summary: 'Bring a guest back from its rescue system', scope: 'guests:rescue', takes: 'Empty' },
  },
  undoRestore: {
    phases: ['running', 'stopped'],
    workflow: 'undoRestore',
    command: {
      name: 'undo-restore',
      alias: 'undo-reinstall',
      summary: 'bring back the disk of before a restore or a reinstall',
      description:
        'Brings back the disk that a guest had before its last restore or reinstall, which is kept for a grace period. What was written since is lost.',
    },
    api: { path: 'undo-restore', summary: 'Bring back the disk of before a restore or reinstall', scope: 'guests:restore', takes: 'Empty' },
  },
  keepRestored: {
    phases: ['running', 'stopped', 'suspended'],
    waits: true,
    leavesDomain: true,
    workflow: 'keepRestored',
    command: {
      name: 'keep-restored',
      summary: 'give up the disk of before a restore or a reinstall',
      description:
        'Wipes and removes the disk that a guest had before its last restore or reinstall. It is done by itself at the end of the grace period; this gives the room back at once.',
    },
    api: { path: 'keep-restored', summary: 'Give up the disk of before a restore or reinstall', scope: 'guests:restore', takes: 'Empty' },
  },
  suspend: {
    phases: ['running', 'stopped', 'suspended', 'rescue'],
    leadsTo: ['suspended'],
    waits: true,
    workflow: 'suspendGuest',
    command: {
      summary: 'take a guest off the net, its disks and address kept',
      description:
        'Shuts a guest down, or pauses it where its plan says `suspend: pause`, and does not start it with its dom0. Its disks and its address stay.',
    },
    api: { path: 'suspend', summary: 'Shut a guest down, and keep it so', scope: 'guests:operate', takes: 'Empty' },
    billing: true,
  },
  resume: {
    phases: ['suspended', 'running'],
    leadsTo: ['running'],
    waits: true,
    workflow: 'resumeGuest',
    command: {
      summary: 'bring a suspended guest back',
      description: 'Starts a suspended guest, or lets a paused one go on, and waits until it answers.',
    },
    api: { path: 'resume', summary: 'Let a suspended guest run again', scope: 'guests:operate', takes: 'Empty' },
    billing: true,
  },
  changePlan: {
    phases: ['running', 'stopped'],
    waits: true,
    workflow: 'changePlan',
    api: { path: 'change-plan', summary: 'Give a guest another plan', scope: 'guests:change-plan', takes: 'ChangePlan' },
    billing: true,
  },
  resize: {
    phases: ['running', 'stopped'],
    workflow: 'resizeGuest',
    api: { path: 'resize', summary: "Give a guest's disk another size", scope: 'guests:resize', takes: 'Resize' },
  },
  setPassword: {
    phases: ['running', 'stopped'],
    workflow: 'changeAccess',
    api: { path: 'password', summary: "Set root's password in a guest", scope: 'guests:access', takes: 'Password' },
  },
  setKeys: {
    phases: ['running', 'stopped'],
    workflow: 'changeAccess',
    api: { path: 'keys', summary: "Replace root's SSH keys in a guest", scope: 'guests:access', takes: 'Keys' },
  },
  setHostname: {
    phases: ['running', 'stopped'],
    workflow: 'changeAccess',
    api: { path: 'hostname', summary: 'Give a guest another host name', scope: 'guests:access', takes: 'Hostname' },
  },
  terminate: {
    phases: ['running', 'stopped', 'suspended', 'rescue', 'terminating', 'gone', 'lost'],
    leadsTo: ['terminating', 'gone'],
    waits: true,
    workflow: 'terminateGuest',
    api: { path: 'terminate', summary: "End a guest, after its plan's grace period", scope: 'guests:terminate', takes: 'Terminate' },
    billing: true,
  },
  undelete: {
    phases: ['terminating', 'running'],
    leadsTo: ['running', 'stopped', 'suspended'],
    waits: true,
    workflow: 'undeleteGuest',
    command: {
      summary: 'take a termination back',
      description: 'Takes a termination back within its grace period: the guest returns with its disks and its address.',
    },
    api: { path: 'undelete', summary: 'Take a termination back within its grace period', scope: 'guests:operate', takes: 'Empty' },
    billing: true,
  },
  cleanup: {
    phases: ['needs-cleanup', 'terminating'],
    leadsTo: ['gone'],
    workflow: 'removeGuest',
    command: {
      summary: 'remove what a failed undo has left',
      description: 'Removes what is left of a guest that needs cleaning up, once the cause is mended.',
    },
    api: { path: 'cleanup', summary: 'Remove what a failed undo has left', scope: 'guests:terminate', takes: 'Empty' },
  },
} as const satisfies Readonly<Record<string, OperationRecord>>;

export type OperationKind = keyof typeof OPERATIONS;

export const OPERATION_KINDS = Object.keys(OPERATIONS) as readonly OperationKind[];

/** The record of a kind. */
export function operationRecord(kind: OperationKind): OperationRecord {
  return OPERATIONS[kind];
}

/** What billing may ask for. */
export type BillingOperation = { [K in OperationKind]: (typeof OPERATIONS)[K] extends { billing: true } ? K : never }[OperationKind];
