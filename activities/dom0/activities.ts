/** The activities of one dom0: the steps, each with its input's schema and its guest's lock. */
import { z } from 'zod';
import { foreignWishSchema, guestOrderWireSchema, guestRefSchema, guestSpecSchema, leasedAddressSchema } from '../../contract/wire.ts';
import { ACCESS_PARTS } from '../../contract/access-parts.ts';
import { goldenTrialName } from '../../contract/golden.ts';
import { BACKUP_ID } from '../../contract/backup.ts';
import type { GuestRef, GuestSpec } from '../../contract/guest.ts';
import { proofSchema } from './backup/proof.ts';
import { ensureGolden } from './images/golden.ts';
import { discardHalfMadeGolden } from './images/golden-half.ts';
import { bringBackGolden, discardNext, listGolden, renewGoldenRoot, renewTarball, useNextGolden } from './images/golden-next.ts';
import { ensureGoldenRoot } from './images/golden-root.ts';
import { goldenSystemSchema } from './images/golden-system.ts';
import type { StepEnv } from './env.ts';
import { createSessions, type BrowserSessions } from './browser-sessions.ts';
import type { Lock } from './locks.ts';
import { activityMaker, type Dom0Context } from './step.ts';
import { changeAccessLive, changeAccessOffline, forgetAccess, undoAccessLive, undoAccessOffline } from './steps/access.ts';
import { adjustGuest } from './steps/adjust.ts';
import { findGuest } from './steps/adopt.ts';
import { audit } from './steps/audit.ts';
import { disableAutostart, enableAutostart } from './steps/autostart.ts';
import { bootGuest, destroyGuest, stopGuest, unpauseGuest } from './steps/boot.ts';
import { openConsole, pauseWithConsole } from './steps/console.ts';
import { findForeign } from './steps/foreign.ts';
import { fixCfg, removeCfg } from './steps/cfg-fix.ts';
import { createImage, removeImage } from './steps/create-image.ts';
import { bootGoldenTrial, endGoldenTrial, makeGoldenTrial, stopGoldenTrial } from './steps/golden-trial.ts';
import { makeGoldenVolumes } from './steps/golden-volumes.ts';
import { growDiskInUse, growFileSystem, undoGrowInUse } from './steps/grow-in-use.ts';
import { removeGuestState } from './steps/guest-state.ts';
import { dom0Facts, domains, inspectGuest, leftoversOf } from './steps/look.ts';
import { dropImage, makeVolumes, removeVolumes } from './steps/lvm-migration.ts';
import { takeBackup, undoBackup } from './steps/backup.ts';
import { openFiles, removeOpenedBackups } from './steps/backup-files.ts';
import { listBackups, pruneBackups } from './steps/prune.ts';
import { setProtected } from './steps/protect.ts';
import { bootTrial, endTrial, makeTrial, recordProof, whyNotIdle } from './steps/prove.ts';
import { planGuest } from './steps/plan-guest.ts';
import { preflight, prepare } from './steps/preflight.ts';
import { growDisk, reduceDisk, shrinkDisk, tryReducing } from './steps/resize-disk.ts';
import { fillReinstalled, recogniseGuest } from './steps/reinstall.ts';
import { bootRescue, dropRescue, makeRescue, turnOnGuest } from './steps/rescue.ts';
import { dropDisk, exchangeDisks, fillRestored, settleDisks } from './steps/restore.ts';
import { restoreVolumes } from './steps/restore-volumes.ts';
import { setAsideVolumes, bringBackVolumes } from './steps/set-aside.ts';
import { lookAtUsage } from './steps/usage.ts';
import { sealGuest } from './steps/seal.ts';
import { setWallclock } from './steps/sysctl-wallclock.ts';

const nothing = z.undefined();
const resizeInput = z.object({ ref: guestRefSchema, bytes: guestSpecSchema.shape.size.shape.diskBytes });
const growInput = z.object({ spec: guestSpecSchema, bytes: resizeInput.shape.bytes });
const accessInput = z.object({
  spec: guestSpecSchema,
  change: z.string().regex(/^[A-Za-z0-9._-]{1,300}$/),
  part: z.enum(ACCESS_PARTS),
});
const spareRole = z.enum(['restored', 'former']);
const goldenInput = guestSpecSchema.shape.os.pick({ dist: true, mirror: true });
const distInput = z.object({ dist: guestSpecSchema.shape.os.shape.dist });
const backInput = distInput.extend({ sha256: z.string().regex(/^[0-9a-f]{64}$/) });
const systemInput = z.object({ system: goldenSystemSchema });
const cfgInput = z.object({
  spec: guestSpecSchema,
  disks: z.enum(['image', 'volume']),
  onCrash: z.enum(['destroy', 'restart']),
  from: guestSpecSchema.exactOptional(),
  undoOf: guestSpecSchema.exactOptional(),
});
const proofInput = z.object({ ref: guestRefSchema, id: z.string().regex(BACKUP_ID), proof: proofSchema });
const protectInput = z.object({ ref: guestRefSchema, id: z.string().regex(BACKUP_ID), isProtected: z.boolean() });
/** A connection to the gateway: its id, and the token by which it is known, sealed. */
const connection = { id: z.string().regex(/^[A-Za-z0-9_-]{1,64}$/), token: z.string().regex(/^[A-Za-z0-9_-]{1,500}$/) };
const consoleInput = z.object({
  ref: guestRefSchema,
  console: z.object(connection),
});
const filesInput = z.object({ ref: guestRefSchema, files: z.object({ ...connection, backup: z.string().regex(BACKUP_ID) }) });
const pruneInput = z.object({ ref: guestRefSchema, ids: z.array(z.string().regex(BACKUP_ID)).min(1).max(10_000) });

const byName = (ref: { readonly name: string }): string => ref.name;
const ofSpec = (input: { readonly spec: GuestSpec }): string => input.spec.name;
const ofRef = (input: { readonly ref: { readonly name: string } }): string => input.ref.name;
const ofDist = (input: { readonly dist: string }): Lock => ({ shared: `golden/${input.dist}` });
const ofSystem = ({ system }: z.output<typeof systemInput>): Lock => ofDist(system);
const ofTrial = ({ system }: z.output<typeof systemInput>): Lock => goldenTrialName(system.dist);
const unlocked = (): undefined => undefined;

type Maker = ReturnType<typeof activityMaker>;

/** Quick looks and changes. */
// The type is inferred: workflows call activities by name.

function shortActivities(activity: Maker, version: string, { consoles, backups }: BrowserSessions) {
  return {
    openConsole: activity(consoleInput, unlocked, (env, input: z.output<typeof consoleInput>) => openConsole(env, consoles, input)),
    openFiles: activity(filesInput, unlocked, (env, input: z.output<typeof filesInput>) => openFiles(env, backups, input)),
    preflight: activity(nothing, unlocked, preflight),
    prepare: activity(nothing, unlocked, prepare),
    dom0Facts: activity(nothing, unlocked, (env) => dom0Facts(env, version)),
    domains: activity(nothing, unlocked, domains),
    audit: activity(nothing, unlocked, audit),
    inspectGuest: activity(z.object({ ref: guestRefSchema, consoleLines: z.number().int().min(0).max(10_000) }), unlocked, inspectGuest),
    lookAtUsage: activity(guestRefSchema, unlocked, lookAtUsage),
    listGolden: activity(nothing, unlocked, listGolden),
    useNextGolden: activity(distInput, ofDist, useNextGolden),
    bringBackGolden: activity(backInput, ofDist, bringBackGolden),
    bootGoldenTrial: activity(systemInput, ofTrial, bootGoldenTrial),
    stopGoldenTrial: activity(distInput, ({ dist }) => goldenTrialName(dist), stopGoldenTrial),
    findGuest: activity(guestRefSchema, byName, findGuest),
    findForeign: activity(foreignWishSchema, unlocked, findForeign),
    leftoversOf: activity(guestRefSchema.extend({ dist: guestSpecSchema.shape.os.shape.dist.exactOptional() }), unlocked, leftoversOf),
    planGuest: activity(z.object({ order: guestOrderWireSchema, lease: leasedAddressSchema }), (input) => input.order.name, planGuest),
    fixCfg: activity(cfgInput, ofSpec, fixCfg),
    bootGuest: activity(guestSpecSchema, byName, bootGuest),
    bootRescue: activity(guestSpecSchema, byName, bootRescue),
    turnOnGuest: activity(guestSpecSchema, byName, turnOnGuest),
    stopGuest: activity(guestRefSchema, byName, stopGuest),
    pauseGuest: activity(guestRefSchema, byName, (env: StepEnv, ref: GuestRef): Promise<void> => pauseWithConsole(env, consoles, ref)),
    unpauseGuest: activity(guestRefSchema, byName, unpauseGuest),
    destroyGuest: activity(guestRefSchema, byName, destroyGuest),
    adjustGuest: activity(z.object({ spec: guestSpecSchema, mustNotKeepMore: z.boolean() }), ofSpec, adjustGuest),
    growFileSystem: activity(growInput, ofSpec, growFileSystem),
    changeAccessLive: activity(accessInput, ofSpec, changeAccessLive),
    undoAccessLive: activity(accessInput, ofSpec, undoAccessLive),
    forgetAccess: activity(guestSpecSchema, byName, forgetAccess),
    setWallclock: activity(guestSpecSchema, byName, setWallclock),
    enableAutostart: activity(guestRefSchema, byName, enableAutostart),
    disableAutostart: activity(guestRefSchema, byName, disableAutostart),
    sealGuest: activity(guestSpecSchema, byName, sealGuest),
    dropImage: activity(guestSpecSchema, byName, dropImage),
    removeImage: activity(guestRefSchema, byName, removeImage),
    removeCfg: activity(guestRefSchema, byName, removeCfg),
    undoBackup: activity(guestRefSchema, byName, undoBackup),
    removeBackups: activity(guestRefSchema, byName, (env: StepEnv, ref: GuestRef): Promise<void> => removeOpenedBackups(env, backups, ref)),
    listBackups: activity(guestRefSchema, byName, listBackups),
    pruneBackups: activity(pruneInput, ofRef, pruneBackups),
    setProtected: activity(protectInput, ofRef, setProtected),
    removeGuestState: activity(guestRefSchema, byName, removeGuestState),
    setAsideVolumes: activity(guestRefSchema, byName, setAsideVolumes),
    bringBackVolumes: activity(guestRefSchema, byName, bringBackVolumes),
    settleDisks: activity(guestRefSchema, byName, settleDisks),
    whyNotIdle: activity(nothing, unlocked, whyNotIdle),
    bootTrial: activity(guestSpecSchema, byName, bootTrial),
    recordProof: activity(proofInput, ofRef, recordProof),
    recogniseGuest: activity(z.object({ spec: guestSpecSchema, isJustMade: z.literal(true).exactOptional() }), ofSpec, recogniseGuest),
    exchangeDisks: activity(z.object({ ref: guestRefSchema, spare: spareRole }), ofRef, exchangeDisks),
  };
}

/** Long copies. */

function bulkActivities(activity: Maker) {
  return {
    ensureGolden: activity(goldenInput, ofDist, ensureGolden),
    ensureGoldenRoot: activity(guestSpecSchema, ({ os }) => ofDist(os), ensureGoldenRoot),
    discardHalfGolden: activity(goldenInput, ofDist, discardHalfMadeGolden),
    renewTarball: activity(distInput, ofDist, renewTarball),
    renewGoldenRoot: activity(systemInput, ofSystem, renewGoldenRoot),
    discardNextGolden: activity(distInput, ofDist, discardNext),
    makeGoldenTrial: activity(systemInput, ofTrial, makeGoldenTrial),
    endGoldenTrial: activity(distInput, ({ dist }) => goldenTrialName(dist), endGoldenTrial),
    createImage: activity(z.object({ spec: guestSpecSchema }), ofSpec, createImage),
    makeVolumes: activity(guestSpecSchema, byName, makeVolumes),
    makeGoldenVolumes: activity(guestSpecSchema, byName, makeGoldenVolumes),
    restoreVolumes: activity(guestSpecSchema, byName, restoreVolumes),
    takeBackup: activity(guestSpecSchema, byName, takeBackup),
    removeVolumes: activity(guestRefSchema, byName, removeVolumes),
    fillRestored: activity(z.object({ ref: guestRefSchema, id: z.string().regex(BACKUP_ID) }), ofRef, fillRestored),
    fillReinstalled: activity(guestSpecSchema, byName, fillReinstalled),
    makeRescue: activity(guestSpecSchema, byName, makeRescue),
    dropRescue: activity(guestRefSchema, byName, dropRescue),
    makeTrial: activity(z.object({ spec: guestSpecSchema, id: z.string().regex(BACKUP_ID) }), ofSpec, makeTrial),
    endTrial: activity(guestRefSchema, byName, endTrial),
    dropDisk: activity(z.object({ ref: guestRefSchema, role: spareRole }), ofRef, dropDisk),
    growDisk: activity(resizeInput, ofRef, growDisk),
    shrinkDisk: activity(resizeInput, ofRef, shrinkDisk),
    tryReducing: activity(resizeInput, ofRef, tryReducing),
    reduceDisk: activity(resizeInput, ofRef, reduceDisk),
    changeAccessOffline: activity(accessInput, ofSpec, changeAccessOffline),
    undoAccessOffline: activity(accessInput, ofSpec, undoAccessOffline),
    growDiskInUse: activity(growInput, ofSpec, growDiskInUse),
    undoGrowInUse: activity(growInput, ofSpec, undoGrowInUse),
  };
}

/**
 * Makes the activities of a dom0.
 *
 * @returns `short` for the queue of short steps, `bulk` for the one of long copies.
 */
// The type is inferred: workflows import it to call activities by name.
// eslint-disable-next-line @typescript-eslint/explicit-module-boundary-types
export function createDom0Activities(context: Dom0Context) {
  const activity = activityMaker(context);
  const { version, sessions = createSessions(context) } = context;
  return { short: shortActivities(activity, version, sessions), bulk: bulkActivities(activity) };
}

export type Dom0Activities = ReturnType<typeof createDom0Activities>;
export type ShortActivities = Dom0Activities['short'];
export type BulkActivities = Dom0Activities['bulk'];
