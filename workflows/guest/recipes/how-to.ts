/** provisionGuest: an order becomes a guest, step by step as in the how-to, or nothing of it is left. */
import { declareVersioning } from '../../saga/versioning.ts';
import { PROVISION_STEPS } from '../../../contract/progress.ts';
import type { BackupRecord } from '../../../contract/backup.ts';
import type { BootResult, WallclockResult } from '../../../contract/step-results.ts';
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
  const ref: GuestRef = { name: order.name, order: order.order, dom0: order.dom0 };
  const operation = new Operation(
    `Provisioning **${order.name}** on ${order.dom0} (plan ${order.plan}, order ${order.order})`,
    PROVISION_STEPS,
  );
  const { host, bulk, undo, undoBulk } = dom0Steps(order.dom0, order.name, operation.onWaiting);

  return operation.run(
    async () => {
      const lease = await operation.firstStep(
        'reserve',
        () => control.reserve(order),
        () => control.release(ref),
        ({ ip }) => ip,
      );
      const spec = await operation.step(
        'plan',
        () => planWithFreeAddress(host, order, lease),
        () => undo.removeGuestState(ref),
        ({ network }) => `${network.ip}, ${network.mac} on ${network.bridge}`,
      );
      await operation.step(
        'golden',
        async () =>
          spec.os.installMethod === 'golden'
            ? bulk.ensureGolden({ dist: spec.os.dist, ...defined({ mirror: spec.os.mirror }) })
            : undefined,
        async () => (spec.os.installMethod === 'golden' ? undoBulk.discardHalfGolden({ dist: spec.os.dist }) : undefined),
        (golden) =>
          golden === undefined ? 'not used: debootstrap' : `${golden.dist} of ${golden.createdAt}, ${golden.reused ? 'reused' : 'made'}`,
      );
      await operation.step(
        'create-image',
        () => bulk.createImage({ spec }),
        () => undo.removeImage(ref),
        ({ bytes }) => `${formatSize(spec.size.diskBytes)}, ${formatSize(bytes)} used`,
      );
      await operation.step(
        'cfg-fix',
        () => host.fixCfg({ spec, disks: 'image', onCrash: 'destroy' }),
        () => undo.removeCfg(ref),
        ({ path }) => `${path}, read by xl as ordered`,
      );
      await operation.step(
        'boot',
        () => host.bootGuest(spec),
        () => undo.destroyGuest(ref),
        ({ seconds, kernel }) => `answered after ${seconds} s, Linux ${kernel}`,
      );
      const wallclock = await operation.step('sysctl-wallclock', () => host.setWallclock(spec), undefined, describeWallclock);
      const boot = await operation.step(
        'lvm-migration',
        async () => {
          await host.stopGuest(ref);
          await bulk.makeVolumes(spec);
          await host.fixCfg({ spec, disks: 'volume', onCrash: 'destroy' });
          const answer = await host.bootGuest(spec);
          await host.dropImage(spec);
          return answer;
        },
        async () => {
          await undo.destroyGuest(ref);
          await undoBulk.removeVolumes(ref);
        },
        ({ seconds }) => `answered from its volumes after ${seconds} s`,
      );
      await operation.step(
        'autostart',
        async () => {
          // The guest has answered from its own disks: from here on Xen restarts it after a crash.
          await host.fixCfg({ spec, disks: 'volume', onCrash: onCrashOf(spec) });
          return host.enableAutostart(ref);
        },
        () => undo.disableAutostart(ref),
        ({ link }) => link,
      );
      const nightly = await operation.step(
        'nightly-backup',
        async () => {
          const backup = await bulk.takeBackup(spec);
          return { backup, scheduleId: await control.scheduleNightly(nightlyOf(spec)) };
        },
        [() => control.unscheduleNightly(ref), () => undo.undoBackup(ref), () => undo.removeBackups(ref)],
        ({ backup }) => `${backupPlace(backup)}, ${formatSize(backup.bytes)}`,
      );
      await operation.step(
        'seal',
        () => host.sealGuest(spec),
        undefined,
        ({ sealed }) => (sealed ? 'the provisioning key is gone' : 'managed: the provisioning key stays'),
      );
      return { spec, boot, wallclock, ...nightly, warnings: warningsOf(wallclock) };
    },
    () => leftoversOf(undo, { ...ref, dist: order.os.dist }),
  );
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
