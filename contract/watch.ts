/** What operators are told of, once when it begins and once when it is over. Plain data: workflow code imports it. */

/** How full a thin pool is when operators are told, in percent: each of these once. */
export const THIN_POOL_LEVELS = [80, 90, 95] as const;

function thinPoolAt(percent: (typeof THIN_POOL_LEVELS)[number]): { readonly what: string; readonly mend: string } {
  return {
    what: `thin pools of dom0 HOST are full to ${percent} % or more; a full one takes the file systems of all of its guests with it`,
    mend: 'lvextend -L +SIZE NAME on HOST, where lvs shows how full it is; or guestflow dom0 drain HOST, and stop guests',
  };
}

/** What it is about, what to do, and whether its end is told. NAME stands for a guest or an order, HOST for the dom0. */
export const PROBLEM_KINDS = {
  'dom0-lost': { what: 'dom0 HOST was declared lost', mend: 'guestflow dom0 found HOST, should it come back; guestflow list --dom0 HOST' },
  'dom0-silent': {
    what: 'nobody asks for work of dom0 HOST: its orders, operations and nights wait',
    mend: 'systemctl status guestflow-dom0 on HOST; if it is gone for good: guestflow dom0 lost HOST',
  },
  'needs-cleanup': { what: 'something of guests could not be removed', mend: 'guestflow show NAME; then guestflow cleanup NAME' },
  'guest-failed': { what: 'orders of guests failed', mend: 'guestflow show NAME' },
  'backup-unusable': {
    what: 'backups cannot be restored',
    mend: 'guestflow backup NAME; guestflow prove NAME; look at the disks of HOST',
  },
  'night-failed': { what: 'the last night failed', mend: 'guestflow backups NAME; then guestflow backup NAME' },
  'night-missed': { what: 'guests were not told of their last night', mend: 'guestflow backups NAME; then guestflow backup NAME' },
  'no-capacity': { what: 'orders of billing are refused for want of room', mend: 'guestflow events NAME; add a dom0, or undrain one' },
  'order-problem': { what: 'orders of billing cannot be fulfilled as they are', mend: 'guestflow events NAME' },
  'pool-nearly-full': {
    what: 'pools of dom0 HOST have less than 5 % left to sell',
    mend: 'guestflow dom0 show HOST; extend the pool NAME, or guestflow dom0 drain HOST',
  },
  'thin-pool-80': thinPoolAt(80),
  'thin-pool-90': thinPoolAt(90),
  'thin-pool-95': thinPoolAt(95),
  'golden-not-renewed': {
    what: 'golden images of dom0 HOST could not be renewed: guests are made from the former ones, without the updates that came since',
    mend: 'guestflow dom0 show HOST says why; then guestflow dom0 renew HOST --dist NAME',
  },
  test: { what: 'this is a test: nothing is wrong', mend: 'nothing; guestflow notify test has sent it' },
} as const;

export type ProblemKind = keyof typeof PROBLEM_KINDS;

/** Problems of one kind on one dom0. */
export interface ProblemGroup {
  readonly kind: ProblemKind;
  /** Undefined: of no dom0. */
  readonly dom0?: string;
  /** Guests, orders, pools, or the dom0 itself; sorted. */
  readonly subjects: readonly string[];
  /** How many more there are, which are not named. Default: none. */
  readonly more?: number;
  /** What else to know of it. */
  readonly note?: string;
}

/** How an operator is told. */
export type NoticeChannel = 'mail' | 'webhook';

/** What a look at the fleet came to. */
export interface ProblemLook {
  /** How operators are told; none: nobody wants to be. */
  readonly channels: readonly NoticeChannel[];
  /** Milliseconds for which a dom0 may be silent. */
  readonly silentMs: number;
  readonly groups: readonly ProblemGroup[];
}

/** What operators are told: what has begun, and what is over. */
export interface Notice {
  readonly begun: readonly ProblemGroup[];
  readonly over: readonly ProblemGroup[];
}

/** Names in one group; there may be more, which are counted. */
export const MOST_NAMED = 200;

/** Workflow id of the one that looks and tells. */
export const WATCH_ID = 'watch';
