/** provisionGuest: an order becomes a guest, step by step as in the how-to, or nothing of it is left. */
import { declareVersioning } from '../../saga/versioning.ts';
import { PROVISION_STEPS } from '../../../contract/progress.ts';
import type { BackupRecord } from '../../../contract/backup.ts';
import type { BootResult, WallclockResult } from '../../../contract/step-results.ts';
import type { LeasedAddress } from '../../../contract/dom0.ts';
import type { GuestOrder, GuestRef, GuestSpec } from '../../../contract/guest.ts';
import { backupPlace } from '../../../contract/backup-place.ts';
import { formatSize } from '../../../contract/sizes.ts';
import { onCrashOf } from '../rules.ts';
import { leftoversOf } from '../../saga/leftovers.ts';
import { Operation } from '../../saga/operation.ts';
import { nightlyOf } from '../operations/shared.ts';
import { planWithFreeAddress } from '../plan-address.ts';
import { control, dom0Steps } from '../../saga/proxies.ts';
import { defined } from '../../../contract/defined.ts';

export interface ProvisionResult {
  readonly spec: GuestSpec;
  readonly boot: BootResult;
  readonly wallclock: WallclockResult;
  readonly backup: BackupRecord;
  readonly scheduleId: string;
  readonly warnings: readonly string[];
}

export async function provisionGuest(order: GuestOrder): Promise<ProvisionResult> {
  return new HowTo(order).run();
}

/** The steps in their order, each with its undo. */
class HowTo {
  private readonly order: GuestOrder;
  private readonly ref: GuestRef;
  private readonly operation: Operation;
  private readonly steps: ReturnType<typeof dom0Steps>;

  constructor(order: GuestOrder) {
    this.order = order;
    this.ref = { name: order.name, order: order.order, dom0: order.dom0 };
    this.operation = new Operation(
      `Provisioning **${order.name}** on ${order.dom0} (plan ${order.plan}, order ${order.order})`,
      PROVISION_STEPS,
    );
    this.steps = dom0Steps(order.dom0, order.name, this.operation.onWaiting);
  }

  async run(): Promise<ProvisionResult> {
    return this.operation.run(
      async () => {
        const lease = await this.reserve();
        const spec = await this.plan(lease);
        await this.golden(spec);
        await this.createImage(spec);
        await this.fixCfg(spec);
        await this.boot(spec);
        const wallclock = await this.setWallclock(spec);
        const boot = await this.migrateToVolumes(spec);
        await this.autostart(spec);
        const nightly = await this.nightlyBackup(spec);
        await this.seal(spec);
        return { spec, boot, wallclock, ...nightly, warnings: warningsOf(wallclock) };
      },
      () => leftoversOf(this.steps.undo, { ...this.ref, dist: this.order.os.dist }),
    );
  }

  private async reserve(): Promise<LeasedAddress> {
    return this.operation.firstStep(
      'reserve',
      () => control.reserve(this.order),
      () => control.release(this.ref),
      ({ ip }) => ip,
    );
  }

  private async plan(lease: LeasedAddress): Promise<GuestSpec> {
    const { host, undo } = this.steps;
    return this.operation.step(
      'plan',
      () => planWithFreeAddress(host, this.order, lease),
      () => undo.removeGuestState(this.ref),
      ({ network }) => `${network.ip}, ${network.mac} on ${network.bridge}`,
    );
  }

  private async golden({ os: { dist, mirror, installMethod } }: GuestSpec): Promise<void> {
    const { bulk, undoBulk } = this.steps;
    const isUsed = installMethod === 'golden';
    await this.operation.step(
      'golden',
      async () => (isUsed ? bulk.ensureGolden({ dist, ...defined({ mirror }) }) : undefined),
      async () => (isUsed ? undoBulk.discardHalfGolden({ dist }) : undefined),
      (golden) =>
        golden === undefined ? 'not used: debootstrap' : `${golden.dist} of ${golden.createdAt}, ${golden.reused ? 'reused' : 'made'}`,
    );
  }

  private async createImage(spec: GuestSpec): Promise<void> {
    const { bulk, undo } = this.steps;
    await this.operation.step(
      'create-image',
      () => bulk.createImage({ spec }),
      () => undo.removeImage(this.ref),
      ({ bytes }) => `${formatSize(spec.size.diskBytes)}, ${formatSize(bytes)} used`,
    );
  }

  private async fixCfg(spec: GuestSpec): Promise<void> {
    const { host, undo } = this.steps;
    await this.operation.step(
      'cfg-fix',
      () => host.fixCfg({ spec, disks: 'image', onCrash: 'destroy' }),
      () => undo.removeCfg(this.ref),
      ({ path }) => `${path}, read by xl as ordered`,
    );
  }

  private async boot(spec: GuestSpec): Promise<void> {
    const { host, undo } = this.steps;
    await this.operation.step(
      'boot',
      () => host.bootGuest(spec),
      () => undo.destroyGuest(this.ref),
      ({ seconds, kernel }) => `answered after ${seconds} s, Linux ${kernel}`,
    );
  }

  private async setWallclock(spec: GuestSpec): Promise<WallclockResult> {
    return this.operation.step('sysctl-wallclock', () => this.steps.host.setWallclock(spec), undefined, describeWallclock);
  }

  private async migrateToVolumes(spec: GuestSpec): Promise<BootResult> {
    const { host, bulk, undo, undoBulk } = this.steps;
    return this.operation.step(
      'lvm-migration',
      async () => {
        await host.stopGuest(this.ref);
        await bulk.makeVolumes(spec);
        await host.fixCfg({ spec, disks: 'volume', onCrash: 'destroy' });
        const answer = await host.bootGuest(spec);
        await host.dropImage(spec);
        return answer;
      },
      async () => {
        await undo.destroyGuest(this.ref);
        await undoBulk.removeVolumes(this.ref);
      },
      ({ seconds }) => `answered from its volumes after ${seconds} s`,
    );
  }

  private async autostart(spec: GuestSpec): Promise<void> {
    const { host, undo } = this.steps;
    await this.operation.step(
      'autostart',
      async () => {
        // The guest has answered from its own disks: from here on Xen restarts it after a crash.
        await host.fixCfg({ spec, disks: 'volume', onCrash: onCrashOf(spec) });
        return host.enableAutostart(this.ref);
      },
      () => undo.disableAutostart(this.ref),
      ({ link }) => link,
    );
  }

  private async nightlyBackup(spec: GuestSpec): Promise<Pick<ProvisionResult, 'backup' | 'scheduleId'>> {
    const { bulk, undo } = this.steps;
    return this.operation.step(
      'nightly-backup',
      async () => {
        const backup = await bulk.takeBackup(spec);
        return { backup, scheduleId: await control.scheduleNightly(nightlyOf(spec)) };
      },
      [() => control.unscheduleNightly(this.ref), () => undo.undoBackup(this.ref), () => undo.removeBackups(this.ref)],
      ({ backup }) => `${backupPlace(backup)}, ${formatSize(backup.bytes)}`,
    );
  }

  private async seal(spec: GuestSpec): Promise<void> {
    await this.operation.step(
      'seal',
      () => this.steps.host.sealGuest(spec),
      undefined,
      ({ sealed }) => (sealed ? 'the provisioning key is gone' : 'managed: the provisioning key stays'),
    );
  }
}

function describeWallclock(wallclock: WallclockResult): string {
  const key =
    wallclock.independentWallclock === 'set'
      ? 'xen.independent_wallclock is set'
      : 'xen.independent_wallclock is not needed on this kernel';
  return `${key}; ${wallclock.timeDaemon} keeps time; clocksource ${wallclock.clocksource}, ${wallclock.skewSeconds} s off dom0`;
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
