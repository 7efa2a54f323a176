/** What an order goes through on its way to a guest, whatever the recipe: each step with its undo. */
import type { BootResult, VolumesResult, WallclockResult } from '../../../contract/step-results.ts';
import type { GoldenOfGuest } from '../../../contract/golden.ts';
import type { LeasedAddress } from '../../../contract/dom0.ts';
import type { GuestOrder, GuestRef, GuestSpec } from '../../../contract/guest.ts';
import { formatSize } from '../../../contract/sizes.ts';
import { onCrashOf } from '../rules.ts';
import { leftoversOf } from '../../saga/leftovers.ts';
import { Operation, rootFailure } from '../../saga/operation.ts';
import { nightlyOf } from '../operations/shared.ts';
import { planWithFreeAddress } from '../plan-address.ts';
import { control, dom0Steps } from '../../saga/proxies.ts';
import { defined } from '../../../contract/defined.ts';

/** The steps of which recipes are made, each with its undo. */
export class ProvisionSteps {
  private readonly order: GuestOrder;
  private readonly ref: GuestRef;
  private readonly operation: Operation;
  private readonly steps: ReturnType<typeof dom0Steps>;

  /** @param names of the recipe's steps, in order */
  constructor(order: GuestOrder, names: readonly string[]) {
    this.order = order;
    this.ref = { name: order.name, order: order.order, dom0: order.dom0 };
    this.operation = new Operation(`Provisioning **${order.name}** on ${order.dom0} (plan ${order.plan}, order ${order.order})`, names);
    this.steps = dom0Steps(order.dom0, order.name, this.operation.onWaiting);
  }

  /** Runs a recipe; if it fails, nothing of it is left. */
  async run<T>(recipe: () => Promise<T>): Promise<T> {
    return this.operation.run(recipe, () => leftoversOf(this.steps.undo, { ...this.ref, dist: this.order.os.dist }));
  }

  async reserve(): Promise<LeasedAddress> {
    return this.operation.firstStep(
      'reserve',
      () => control.reserve(this.order),
      () => control.release(this.ref),
      ({ ip }) => ip,
    );
  }

  async plan(lease: LeasedAddress): Promise<GuestSpec> {
    const { host, undo } = this.steps;
    return this.operation.step(
      'plan',
      () => planWithFreeAddress(host, this.order, lease),
      () => undo.removeGuestState(this.ref),
      ({ network }) => `${network.ip}, ${network.mac} on ${network.bridge}`,
    );
  }

  async golden({ os: { dist, mirror, installMethod } }: GuestSpec): Promise<GoldenOfGuest | undefined> {
    const { bulk, undoBulk } = this.steps;
    const isUsed = installMethod === 'golden';
    const used = await this.operation.step(
      'golden',
      async () => (isUsed ? bulk.ensureGolden({ dist, ...defined({ mirror }) }) : undefined),
      async () => (isUsed ? undoBulk.discardHalfGolden({ dist }) : undefined),
      (golden) =>
        golden === undefined ? 'not used: debootstrap' : `${golden.dist} of ${golden.createdAt}, ${golden.reused ? 'reused' : 'made'}`,
    );
    return used === undefined ? undefined : { dist, createdAt: used.createdAt, tarball: used.sha256 };
  }

  async createImage(spec: GuestSpec): Promise<void> {
    const { bulk, undo } = this.steps;
    await this.operation.step(
      'create-image',
      () => bulk.createImage({ spec }),
      () => undo.removeImage(this.ref),
      ({ bytes }) => `${formatSize(spec.size.diskBytes)}, ${formatSize(bytes)} used`,
    );
  }

  /** @param disks those of which it is to start first */
  async fixCfg(spec: GuestSpec, disks: 'image' | 'volume'): Promise<void> {
    const { host, undo } = this.steps;
    await this.operation.step(
      'cfg-fix',
      () => host.fixCfg({ spec, disks, onCrash: 'destroy' }),
      () => undo.removeCfg(this.ref),
      ({ path }) => `${path}, read by xl as ordered`,
    );
  }

  async boot(spec: GuestSpec): Promise<BootResult> {
    const { host, undo } = this.steps;
    return this.operation.step(
      'boot',
      () => host.bootGuest(spec),
      () => undo.destroyGuest(this.ref),
      ({ seconds, kernel }) => `answered after ${seconds} s, Linux ${kernel}`,
    );
  }

  async setWallclock(spec: GuestSpec): Promise<WallclockResult> {
    return this.operation.step('sysctl-wallclock', () => this.steps.host.setWallclock(spec), undefined, describeWallclock);
  }

  async goldenRoot(spec: GuestSpec): Promise<GoldenOfGuest> {
    const { bulk, undoBulk } = this.steps;
    const { dist, mirror } = spec.os;
    const { createdAt, tarball } = await this.operation.step(
      'golden-root',
      () => bulk.ensureGoldenRoot(spec),
      () => undoBulk.discardHalfGolden({ dist, ...defined({ mirror }) }),
      (root) => `${dist} of ${root.createdAt}, ${root.reused ? 'reused' : 'made'}`,
    );
    return { dist, createdAt, ...defined({ tarball }) };
  }

  /** The golden root file system on the guest's own volumes, made its own. */
  async makeVolumes(spec: GuestSpec): Promise<void> {
    const { bulk, undoBulk } = this.steps;
    await this.operation.step(
      'make-volumes',
      () =>
        bulk
          .makeGoldenVolumes(spec)
          .catch(isGivenUp)
          .then((made) => made ?? this.makeVolumesAnew(spec)),
      () => undoBulk.removeVolumes(this.ref),
      ({ root }) => root,
    );
  }

  /** The golden root file system was damaged, and is made again. */
  private async makeVolumesAnew(spec: GuestSpec): Promise<VolumesResult> {
    const { bulk } = this.steps;
    await bulk.ensureGoldenRoot(spec);
    return bulk.makeGoldenVolumes(spec);
  }

  /** The content of a backup of another guest on the guest's own volumes, made its own. */
  async restoreVolumes(spec: GuestSpec): Promise<void> {
    const { bulk, undoBulk } = this.steps;
    await this.operation.step(
      'restore-volumes',
      () => bulk.restoreVolumes(spec),
      () => undoBulk.removeVolumes(this.ref),
      ({ root }) => `${root}, from backup ${spec.origin?.backup ?? ''} of ${spec.origin?.guest ?? ''}`,
    );
  }

  async migrateToVolumes(spec: GuestSpec): Promise<BootResult> {
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

  async autostart(spec: GuestSpec): Promise<void> {
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

  /** The Schedule of its nights. The first backup is no part of the order: who has ordered does not wait for it. */
  async nightlyBackup(spec: GuestSpec): Promise<string> {
    return this.operation.step(
      'nightly-backup',
      () => control.scheduleNightly(nightlyOf(spec)),
      () => control.unscheduleNightly(this.ref),
      (scheduleId) => `scheduled: ${scheduleId}; the first backup follows now`,
    );
  }

  async seal(spec: GuestSpec): Promise<void> {
    await this.operation.step(
      'seal',
      () => this.steps.host.sealGuest(spec),
      undefined,
      ({ sealed }) => (sealed ? 'the provisioning key is gone' : 'managed: the provisioning key stays'),
    );
  }
}

/** @throws any other failure than that there is no golden root file system */
function isGivenUp(error: unknown): undefined {
  if (rootFailure(error).type !== 'NotFound') throw error;
}

function describeWallclock(wallclock: WallclockResult): string {
  const key =
    wallclock.independentWallclock === 'set'
      ? 'xen.independent_wallclock is set'
      : 'xen.independent_wallclock is not needed on this kernel';
  return `${key}; ${wallclock.timeDaemon} keeps time; clocksource ${wallclock.clocksource}, ${wallclock.skewSeconds} s off dom0`;
}
