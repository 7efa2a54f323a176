/** What workflows are started with. What a run carries over to the next one is the workflow's own. */
import type { FilesWish } from './backup-files.ts';
import type { ConsoleWish } from './console.ts';
import type { Owner } from './capacity.ts';
import type { RenewalWish } from './golden.ts';
import type { ForeignWish } from './chosen-backup.ts';
import type { GuestOrder, GuestRef } from './guest.ts';

export interface GuestInput {
  readonly order: GuestOrder;
  /** The guest is on its dom0 already: it is taken over, not made. */
  readonly adopts?: true;
}

/** One look at a dom0, or one task on it that is no operation on a guest. */
export type Dom0TaskName =
  | 'preflight'
  | 'facts'
  | 'prepare'
  | 'domains'
  | 'inspect'
  | 'usage'
  | 'find'
  | 'foreign'
  | 'audit'
  | 'clean'
  | 'console'
  | 'files'
  | 'renew';

/** What some tasks need beside the host. */
export interface Dom0TaskParameters {
  /** `inspect`, `usage`, `find`, `console`, `files`: which guest. */
  readonly guest?: GuestRef;
  /** `console`: which one. */
  readonly console?: ConsoleWish;
  /** `files`: of which backup. */
  readonly files?: FilesWish;
  /** `foreign`: which backup. */
  readonly foreign?: ForeignWish;
  /** `renew`: which golden images. */
  readonly renewal?: RenewalWish;
  /** `inspect`: lines of its console. Default: none. */
  readonly lines?: number;
  /** `clean`: orphans that an audit showed. Those that are claimed meanwhile are left alone. `remove`: the one. */
  readonly orphans?: readonly Owner[];
}

export interface Dom0TaskInput extends Dom0TaskParameters {
  readonly host: string;
  /** `remove` is what `clean` starts for each orphan. */
  readonly task: Dom0TaskName | 'remove';
}

export interface NetworkInput {
  readonly cidr: string;
  readonly gateway: string;
}

export interface BillingOrderInput {
  readonly order: string;
  /** Name of its first guest: derived from the order's id at the edge. */
  readonly guest: string;
}
