/** Orders and scripted activities for workflow tests: steps that succeed, unless a test says otherwise, and write down that they were called. */
import { Context } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import { anOrder, type Changes } from '../an-order.ts';
import { until as untilSeen } from '../../system/until.ts';
import type { GuestOrder, GuestRef } from '../../contract/guest.ts';
import { DOM0, type AnyActivities } from './temporal.ts';

let counter = 0;

export function order(changes: Changes<GuestOrder> = {}): GuestOrder {
  counter += 1;
  return anOrder(changes.name ?? `guest${counter}`, DOM0, changes);
}

export const NETWORK = { ip: '192.0.2.10', netmask: '255.255.255.0', gateway: '192.0.2.1', bridge: 'xenbr0' };

function backupOf(id: string): { id: string; takenAt: string; state: string } {
  return { id, takenAt: `2026-01-01T${id.slice(9, 11)}:00:00.000Z`, state: 'verified' };
}

/** Activities that succeed, and write down that they were called. */
export function scripted(calls: string[], changes: AnyActivities = {}): AnyActivities {
  const answers: Record<string, unknown> = {
    reserve: NETWORK,
    reserveWithLease: NETWORK,
    ensureGolden: { dist: 'bookworm', createdAt: '2026-01-01', reused: true },
    ensureGoldenRoot: { dist: 'bookworm', createdAt: '2026-01-01', reused: true },
    createImage: { bytes: 1 },
    fixCfg: { path: '/etc/xen/x.cfg', changed: [], sha256: '' },
    bootGuest: { domainId: 1, seconds: 1, rootDevice: '/dev/xvda2', kernel: '6.1.0' },
    adjustGuest: { isDone: true },
    stopGuest: { how: 'shut down' },
    makeVolumes: { root: 'r', swap: 's', copiedBytes: 1 },
    makeGoldenVolumes: { root: 'r', swap: 's', copiedBytes: 1 },
    restoreVolumes: { root: 'r', swap: 's', copiedBytes: 1 },
    setWallclock: {
      independentWallclock: 'not needed',
      kernel: '6.1.0',
      clocksource: 'xen',
      timeDaemon: 'chrony',
      skewSeconds: 0,
      wentBackwards: [],
    },
    enableAutostart: { link: 'l' },
    takeBackup: { id: 'b1', path: '/b', bytes: 10 },
    // Two of one day, of which one is kept.
    listBackups: { backups: ['20260101T020000Z', '20260101T030000Z'].map(backupOf), damaged: [] },
    pruneBackups: { removed: ['20260101T020000Z'], freedBytes: 10 },
    makeTrial: { bytes: 2 ** 31 },
    makeRescue: { bytes: 2 ** 31 },
    bootRescue: { domainId: 1, seconds: 1, rootDevice: '', kernel: '', guestRoot: '/dev/xvdb' },
    bootTrial: { seconds: 1, what: 'guest login:' },
    settleDisks: { wasLeft: false },
    growFileSystem: { bytes: 2 ** 33 },
    fillRestored: { bytes: 2 ** 31 },
    fillReinstalled: { bytes: 2 ** 31 },
    scheduleNightly: 'nightly/x',
    sealGuest: { sealed: true },
    listGolden: [],
    renewTarball: { dist: 'bookworm', createdAt: '2026-02-01', reused: false },
    renewGoldenRoot: { dist: 'bookworm', createdAt: '2026-02-01', reused: false },
    useNextGolden: { createdAt: '2026-02-01' },
    bringBackGolden: { createdAt: '2026-01-01' },
    makeGoldenTrial: { bytes: 2 ** 31 },
    bootGoldenTrial: { seconds: 1, what: 'golden login:' },
    leftoversOf: [],
    schedulesLeft: [],
  };
  const names = [
    ...Object.keys(answers),
    'planGuest',
    'release',
    'removeGuestState',
    'removeImage',
    'removeCfg',
    'destroyGuest',
    'removeVolumes',
    'disableAutostart',
    'unscheduleNightly',
    'undoBackup',
    'removeBackups',
    'dropImage',
    'discardHalfGolden',
    'discardNextGolden',
    'reserveGolden',
    'tellRenewal',
    'stopGoldenTrial',
    'endGoldenTrial',
    'growDisk',
    'shrinkDisk',
    'tryReducing',
    'reduceDisk',
    'growDiskInUse',
    'undoGrowInUse',
    'changeAccessLive',
    'undoAccessLive',
    'changeAccessOffline',
    'undoAccessOffline',
    'forgetAccess',
    'pauseGuest',
    'unpauseGuest',
    'setAsideVolumes',
    'bringBackVolumes',
    'exchangeDisks',
    'recogniseGuest',
    'dropDisk',
    'endTrial',
    'dropRescue',
    'turnOnGuest',
    'whyNotIdle',
    'changeReservation',
    'tellGuests',
    'endOperation',
    'adopt',
    'leaveDom0',
  ];
  const activities = Object.fromEntries(names.map((name) => [name, (): Promise<unknown> => Promise.resolve(answers[name])]));
  const all: AnyActivities = {
    ...activities,
    findGuest: (ref: GuestRef) =>
      Promise.resolve({
        spec: { ...order({ ...ref }), network: { ...NETWORK, mac: '00:16:3E:00:00:01' } },
        phase: 'stopped',
        backups: [backupOf('20260101T020000Z')],
        warnings: [],
      }),
    planGuest: (input: { order: GuestOrder }) => Promise.resolve({ ...input.order, network: { ...NETWORK, mac: '00:16:3E:00:00:01' } }),
    areOrdersHere: () => Promise.resolve(false),
    findForeign: ({ order: of }: { order: string }) => Promise.resolve({ record: backupOf('20260101T030000Z'), order: of, dom0: DOM0 }),
    setProtected: ({ id, isProtected }: { id: string; isProtected: boolean }) =>
      Promise.resolve({ ...backupOf(id), ...(isProtected ? { isProtected } : {}) }),
    recordProof: ({ id, proof }: { id: string; proof: object }) => Promise.resolve({ ...backupOf(id), state: 'proven', proof }),
    ...changes,
  };
  return Object.fromEntries(
    Object.entries(all).map(([name, activity]) => [
      name,
      async (...args: never[]) => {
        calls.push(name);
        return activity(...args);
      },
    ]),
  );
}

/** An activity that fails for good. */
export const NO = (type: string) => (): Promise<never> =>
  Promise.reject(ApplicationFailure.create({ type, nonRetryable: true, message: `${type} for the test` }));

/** An activity that runs until it is cancelled. */
export function untilCancelled(reached: () => void): () => Promise<never> {
  return async () => {
    reached();
    const context = Context.current();
    const timer = setInterval(() => {
      context.heartbeat();
    }, 50);
    try {
      return await context.cancelled;
    } finally {
      clearInterval(timer);
    }
  };
}

/** Looks again and again until what it sees is good. Visibility may be a moment behind. */
export async function until<T>(look: () => Promise<T>, isGood: (value: T) => boolean, everyMs = 50): Promise<T> {
  const seen = async (): Promise<{ value: T } | false> => {
    const value = await look();
    return isGood(value) && { value };
  };
  return (await untilSeen(seen, { everyMs })).value;
}
