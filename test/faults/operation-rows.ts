/** Every operation of a guest's life, and how the matrix plays it. All cases of operations are made from this table. */
import type { Changes } from '../an-order.ts';
import { OPERATION_KINDS } from '../../contract/operations.ts';
import type { GuestPhase, GuestSpec } from '../../contract/guest.ts';
import type { OperationRequest } from '../../contract/guest-requests.ts';
import type { OperationKind } from '../../contract/operations.ts';
import { BOX } from './boxes.ts';
import type { Case } from './case.ts';

const MiB = 2 ** 20;
const GiB = 2 ** 30;

/** Sealed for the dom0 of the matrix. */
const PASSWORD = { sealedPassword: { faults: BOX } };
const HOSTNAME = { hostname: 'shop.example.org' };
const KEYS = {
  sshKeys: [
    `ssh-ed25519 ${Buffer.concat([Buffer.from([0, 0, 0, 11]), Buffer.from('ssh-ed25519'), Buffer.from([0, 0, 0, 32]), Buffer.alloc(32, 7)]).toString('base64')}`,
  ],
};

export interface OperationRow {
  /** Unique. */
  readonly name: string;
  readonly kind: OperationKind;
  readonly details?: Omit<OperationRequest, 'kind' | 'id'>;
  /** The row that brings a running guest to where this one begins. Default: it begins with a running guest. */
  readonly after?: string;
  /** The phase that the guest is taken to be in. Default: what came of `after`. */
  readonly phase?: GuestPhase;
  /** What its order says otherwise than the others'. */
  readonly spec?: Changes<GuestSpec>;
  /** guestflow's key stays in it. Default: it is sealed. */
  readonly isManaged?: true;
  /** It has no backup yet. */
  readonly isNew?: true;
  /** The guest's phase at its end. */
  readonly end: GuestPhase;
  /** Backups go that retention does not keep: one that is gone, or whose removal has begun, does not come back. */
  readonly prunes?: true;
  /** It takes a backup, which stays, even if the rest is undone. */
  readonly takesBackup?: true;
  /**
   * The activities whose calls meet faults one by one; what the others do is tried in another row. Through Temporal, each of its activities meets them.
   * Default: all.
   */
  readonly tries?: readonly string[];
  /** Nothing of it is undone: what is not removed is removed when it is asked for again. */
  readonly isRemoval?: true;
}

/** What puts a disk in the place of another. */
const EXCHANGE = ['exchangeDisks', 'recogniseGuest'];

type Play = Omit<OperationRow, 'kind'>;

/** Its calls meet faults where there are two dom0s: `test/workflow/restore-elsewhere-faults.test.ts`. */
const OF_TWO_DOM0S: readonly OperationKind[] = ['restoreElsewhere'];

const PLAYS: Readonly<Record<Exclude<OperationKind, 'restoreElsewhere'>, readonly Play[]>> = {
  stop: [{ name: 'stop', end: 'stopped' }],
  start: [{ name: 'start', after: 'stop', end: 'running' }],
  destroy: [{ name: 'destroy', end: 'stopped' }],
  reboot: [{ name: 'reboot', end: 'running' }],
  backup: [
    { name: 'backup', end: 'running' },
    { name: 'first backup', isNew: true, end: 'running' },
    { name: 'backup of a stopped guest', after: 'stop', end: 'stopped' },
    { name: 'backup that takes the place of the one before', spec: { backup: { retention: { last: 1 } } }, end: 'running', prunes: true },
  ],
  prune: [
    { name: 'prune of nothing', end: 'running' },
    { name: 'prune', after: 'backup', spec: { backup: { retention: { last: 1 } } }, end: 'running', prunes: true },
  ],
  protect: [{ name: 'protection of a backup', end: 'running' }],
  unprotect: [{ name: 'protection of a backup taken back', after: 'protection of a backup', end: 'running' }],
  prove: [{ name: 'proof', end: 'running' }],
  restore: [
    { name: 'restore', end: 'running' },
    { name: 'restore of a stopped guest', after: 'stop', end: 'stopped' },
  ],
  reinstall: [
    { name: 'reinstall', details: { reinstall: KEYS }, end: 'running', tries: ['fillReinstalled', ...EXCHANGE] },
    { name: 'reinstall of a stopped guest', after: 'stop', end: 'running', tries: ['recogniseGuest'] },
    {
      name: 'reinstall of a managed guest',
      spec: { access: { managed: true } },
      isManaged: true,
      end: 'running',
      tries: ['recogniseGuest'],
    },
  ],
  rescue: [
    { name: 'rescue', details: { rescue: KEYS }, end: 'rescue' },
    { name: 'rescue of a stopped guest', after: 'stop', details: { rescue: KEYS }, end: 'rescue', tries: ['stopGuest', 'bootRescue'] },
  ],
  unrescue: [{ name: 'unrescue', after: 'rescue', end: 'running' }],
  undoRestore: [
    { name: 'undo of a reinstall', after: 'reinstall', end: 'running', tries: EXCHANGE },
    { name: 'undo of a reinstall of a managed guest', after: 'reinstall of a managed guest', end: 'running', tries: EXCHANGE },
    { name: 'undo of a restore', after: 'restore', end: 'running' },
    { name: 'undo of a restore of a guest whose disk has grown since', after: 'change of plan after a restore', end: 'running' },
  ],
  keepRestored: [
    { name: 'restore kept', after: 'restore', end: 'running', isRemoval: true },
    { name: 'reinstall kept', after: 'reinstall', end: 'running', isRemoval: true, tries: ['dropDisk'] },
    { name: 'restore taken back for good', after: 'undo of a restore', end: 'running', isRemoval: true },
  ],
  suspend: [
    { name: 'suspend', end: 'suspended' },
    { name: 'suspend by a pause', spec: { life: { suspend: 'pause' } }, end: 'suspended' },
  ],
  resume: [
    { name: 'resume', after: 'suspend', end: 'running' },
    { name: 'resume from a pause', after: 'suspend by a pause', end: 'running' },
  ],
  changePlan: [
    {
      name: 'change of plan',
      details: { change: { plan: 'large', memoryBytes: GiB, vcpus: 2, diskBytes: 2 * GiB, mayRestart: true } },
      end: 'running',
    },
    {
      name: 'change of plan of a stopped guest',
      after: 'stop',
      details: { change: { plan: 'large', memoryBytes: GiB, vcpus: 2, diskBytes: 2 * GiB, mayRestart: false } },
      end: 'stopped',
    },
    {
      name: 'change of plan while it runs',
      details: { change: { plan: 'tiny', memoryBytes: 256 * MiB, vcpus: 1, diskBytes: GiB, mayRestart: false } },
      end: 'running',
    },
    {
      name: 'change of plan to more while it runs',
      after: 'change of plan while it runs',
      details: { change: { plan: 'small', memoryBytes: 512 * MiB, vcpus: 1, diskBytes: GiB, mayRestart: false } },
      end: 'running',
    },
    {
      name: 'change of plan after a restore',
      after: 'restore',
      details: { change: { plan: 'large', memoryBytes: GiB, vcpus: 2, diskBytes: 2 * GiB, mayRestart: true } },
      end: 'running',
    },
    {
      name: 'change of plan by a restart',
      details: { change: { plan: 'wide', memoryBytes: GiB, vcpus: 2, diskBytes: GiB, mayRestart: true } },
      end: 'running',
    },
  ],
  resize: [
    { name: 'larger disk while it runs', details: { resize: { diskBytes: 2 * GiB } }, spec: { access: { managed: true } }, end: 'running' },
    { name: 'larger disk', details: { resize: { diskBytes: 2 * GiB, how: 'offline' } }, end: 'running' },
    { name: 'larger disk of a stopped guest', after: 'stop', details: { resize: { diskBytes: 2 * GiB } }, end: 'stopped' },
    {
      name: 'smaller disk',
      after: 'larger disk',
      details: { resize: { diskBytes: GiB, how: 'offline' } },
      end: 'running',
      takesBackup: true,
    },
  ],
  setPassword: [
    { name: 'password while it runs', details: { access: PASSWORD }, spec: { access: { managed: true } }, isManaged: true, end: 'running' },
    { name: 'password by a restart', details: { access: { ...PASSWORD, how: 'offline' } }, end: 'running' },
    { name: 'password of a stopped guest', after: 'stop', details: { access: PASSWORD }, end: 'stopped' },
  ],
  setKeys: [
    { name: 'keys while it runs', details: { access: KEYS }, spec: { access: { managed: true } }, isManaged: true, end: 'running' },
    { name: 'keys by a restart', details: { access: { ...KEYS, how: 'offline' } }, end: 'running' },
    { name: 'all keys taken from a stopped guest', after: 'stop', details: { access: { sshKeys: [] } }, end: 'stopped' },
  ],
  setHostname: [
    {
      name: 'host name while it runs',
      details: { access: HOSTNAME },
      spec: { access: { managed: true } },
      isManaged: true,
      end: 'running',
    },
    { name: 'host name by a restart', details: { access: { ...HOSTNAME, how: 'offline' } }, end: 'running' },
    { name: 'host name of a stopped guest', after: 'stop', details: { access: HOSTNAME }, end: 'stopped' },
  ],
  terminate: [
    { name: 'terminate', end: 'terminating' },
    { name: 'terminate now', details: { now: true }, end: 'gone', isRemoval: true },
    { name: 'terminate now, after a restore', after: 'restore', details: { now: true }, end: 'gone', isRemoval: true },
    { name: 'terminate, when the dom0 is lost', phase: 'lost', end: 'gone', isRemoval: true },
    { name: 'terminate now, in its grace period', after: 'terminate', details: { now: true }, end: 'gone', isRemoval: true },
  ],
  undelete: [{ name: 'undelete', after: 'terminate', end: 'running' }],
  cleanup: [{ name: 'cleanup', phase: 'needs-cleanup', end: 'gone', isRemoval: true }],
};

const ALL = Object.entries(PLAYS).flatMap(([kind, plays]) => plays.map((play): OperationRow => ({ ...play, kind: kind as OperationKind })));

/** How many others come before a row. */
function depthOf({ after }: OperationRow): number {
  const before = ALL.find(({ name }) => name === after);
  return before === undefined ? 0 : 1 + depthOf(before);
}

/** Those that others begin after come first. */
export const OPERATION_ROWS: readonly OperationRow[] = [...ALL].sort((a, b) => depthOf(a) - depthOf(b));

/** An operation without a row is one that nothing here has tried. */
export function rowCases(): Case[] {
  return OPERATION_KINDS.filter((kind) => !OF_TWO_DOM0S.includes(kind)).map((kind) => ({
    name: `operation/${kind} is in the table`,
    run: () =>
      Promise.resolve({
        end: 'as ordered' as const,
        complaints: OPERATION_ROWS.some((row) => row.kind === kind) ? [] : [`test/faults/operation-rows.ts has no row of ${kind}`],
      }),
  }));
}
