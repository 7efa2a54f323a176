/** provisionGuest: an order becomes a guest, step by step, or nothing of it is left. Its recipe says which steps there are, and in which order. */
import { declareVersioning } from '../../saga/versioning.ts';
import { defined } from '../../../contract/defined.ts';
import type { GoldenOfGuest } from '../../../contract/golden.ts';
import { RECIPE_STEPS } from '../../../contract/progress.ts';
import type { BootResult, WallclockResult } from '../../../contract/step-results.ts';
import type { GuestOrder, GuestSpec } from '../../../contract/guest.ts';
import { ProvisionSteps } from './provision-steps.ts';

export interface ProvisionResult {
  readonly spec: GuestSpec;
  readonly boot: BootResult;
  readonly wallclock: WallclockResult;
  readonly scheduleId: string;
  readonly warnings: readonly string[];
  /** What its system was made of. Undefined: a backup, or debootstrap. */
  readonly golden?: GoldenOfGuest;
}

/** What a recipe makes of a guest that has an address. */
interface Started {
  readonly boot: BootResult;
  readonly wallclock: WallclockResult;
  readonly golden?: GoldenOfGuest;
}

/** As by hand: the guest starts from its image, is looked at, and moves to its volumes. */
async function howTo(steps: ProvisionSteps, spec: GuestSpec): Promise<Started> {
  const golden = await steps.golden(spec);
  await steps.createImage(spec);
  await steps.fixCfg(spec, 'image');
  await steps.boot(spec);
  const wallclock = await steps.setWallclock(spec);
  return { wallclock, boot: await steps.migrateToVolumes(spec), ...defined({ golden }) };
}

/** The volumes are written from a golden root file system, which is made this guest's own: no image, one boot instead of two, and no shutdown. */
async function direct(steps: ProvisionSteps, spec: GuestSpec): Promise<Started> {
  const golden = await steps.goldenRoot(spec);
  await steps.makeVolumes(spec);
  return { ...(await fromVolumes(steps, spec)), golden };
}

/** The volumes are made from a backup of another guest, and made this guest's own before it starts. */
async function fromBackup(steps: ProvisionSteps, spec: GuestSpec): Promise<Started> {
  await steps.restoreVolumes(spec);
  return fromVolumes(steps, spec);
}

async function fromVolumes(steps: ProvisionSteps, spec: GuestSpec): Promise<Started> {
  await steps.fixCfg(spec, 'volume');
  const boot = await steps.boot(spec);
  return { boot, wallclock: await steps.setWallclock(spec) };
}

const RECIPES = { 'how-to': howTo, direct, 'from-backup': fromBackup } as const;

export async function provisionGuest(order: GuestOrder): Promise<ProvisionResult> {
  const recipe = order.origin === undefined ? order.os.recipe : 'from-backup';
  const steps = new ProvisionSteps(order, RECIPE_STEPS[recipe]);
  return steps.run(async () => {
    const spec = await steps.plan(await steps.reserve());
    const { boot, wallclock, golden } = await RECIPES[recipe](steps, spec);
    await steps.autostart(spec);
    // The provisioning key is in no backup: the first one is taken when the order is done.
    await steps.seal(spec);
    const scheduleId = await steps.nightlyBackup(spec);
    return { spec, boot, wallclock, scheduleId, warnings: warningsOf(wallclock), ...defined({ golden }) };
  });
}

/** Seconds off dom0 above which somebody should look. Its time daemon may need minutes to step a clock. */
const SKEW_WORTH_A_WARNING = 5;

function warningsOf(wallclock: WallclockResult): string[] {
  const skewed = Math.abs(wallclock.skewSeconds) > SKEW_WORTH_A_WARNING ? [`its clock was ${wallclock.skewSeconds} s off dom0's`] : [];
  const backwards =
    wallclock.wentBackwards.length > 0 ? [`its kernel says that time went backwards: ${wallclock.wentBackwards[0] ?? ''}`] : [];
  return [...skewed, ...backwards];
}

// A run is over in minutes: it ends with the code it began with.
declareVersioning('PINNED', provisionGuest);
