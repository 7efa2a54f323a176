/** A guest in words. */
import { backupPlace } from '../contract/backup-place.ts';
import { formatSize } from '../contract/sizes.ts';
import type { BackupRecord } from '../contract/backup.ts';
import type { GuestStatus } from '../contract/guest.ts';
import { printFacts, printLine, type Io } from './io.ts';
import { activityText, type ProgressDetail } from './progress-lines.ts';

/**
 * Prints all that is known of a guest.
 *
 * @param detail what its operation is doing just now
 */
export function printGuest(io: Io, status: GuestStatus, url?: string, detail: ProgressDetail = {}): void {
  const { spec, wallclock } = status;
  printFacts(io, [
    [
      'guest',
      `${status.name} is ${status.rescue !== undefined && status.phase === 'rescue' ? `in its rescue system since ${status.rescue.since}` : status.phase}${status.operation === undefined ? '' : `; ${status.operation.kind} runs since ${status.operation.startedAt}`}`,
    ],
    ['doing', status.operation === undefined ? undefined : activityText(detail)],
    ['waiting for', status.operation === undefined ? undefined : detail.operation?.waiting],
    ['order', `${status.order}, plan ${status.plan}, taken ${status.orderedAt}`],
    ['dom0', status.dom0],
    [
      'address',
      spec === undefined
        ? undefined
        : `${spec.network.ip} netmask ${spec.network.netmask} gateway ${spec.network.gateway}, ${spec.network.mac} on ${spec.network.bridge}`,
    ],
    ['IPv6', spec?.network.ipv6 === undefined ? undefined : `${spec.network.ipv6.address} gateway ${spec.network.ipv6.gateway}`],
    [
      'log in',
      spec === undefined || (status.phase !== 'running' && status.phase !== 'rescue') || spec.access.sshKeys.length === 0
        ? undefined
        : `ssh root@${spec.network.ip}`,
    ],
    ['size', spec === undefined ? undefined : `${formatSize(spec.size.memoryBytes)} of memory, ${spec.size.vcpus} vcpus`],
    ['disks', spec === undefined ? undefined : `root ${formatSize(spec.size.diskBytes)}, swap ${formatSize(spec.size.swapBytes)}`],
    ['system', spec === undefined ? undefined : `${spec.os.dist}, ${spec.os.type}, time zone ${spec.os.timezone}`],
    ['made of', status.golden && `the golden image of ${status.golden.dist} that was made at ${status.golden.createdAt}`],
    [
      'clock',
      wallclock === undefined
        ? undefined
        : `clocksource ${wallclock.clocksource}, ${wallclock.timeDaemon}, ${wallclock.skewSeconds.toFixed(3)} s off dom0, independent_wallclock ${wallclock.independentWallclock}`,
    ],
    ['queued', status.queued.length === 0 ? undefined : status.queued.join(', ')],
    ['schedule', status.scheduleId],
    ['backups', describeBackups(status)],
    ['next proof', status.proveAt],
    ['gone on', status.graceUntil],
    ['backups until', status.backupsUntil],
    [
      'spare disk',
      status.kept &&
        `${status.kept.role}, until ${status.kept.keptUntil} (${status.kept.system === undefined ? `backup ${status.kept.backup} was restored` : 'the system was installed anew'})`,
    ],
    ['warnings', status.warnings.length === 0 ? undefined : status.warnings.join('\n')],
    ['last error', status.error === undefined ? undefined : status.error.message],
    ['left behind', status.leftovers.length === 0 ? undefined : status.leftovers.join('\n')],
    ['Temporal UI', url],
  ]);
  if (status.steps !== undefined && status.steps.length > 0) {
    printLine(io, 'steps');
    printFacts(
      io,
      status.steps.map((step) => [
        `  ${step.name}`,
        `${step.state}${step.seconds === undefined ? '' : ` in ${step.seconds.toFixed(1)} s`}${step.summary === undefined ? '' : `: ${step.summary}`}`,
      ]),
    );
  }
}

function describeBackups({ backups, firstBackupAt, operation, queued }: GuestStatus): string | undefined {
  const last = backups.at(-1);
  if (last !== undefined) return `${backups.length}, the last: ${describeBackup(last)}`;
  if (firstBackupAt === undefined) return undefined;
  const isUnderWay = operation?.kind === 'backup' || queued.includes('backup');
  return isUnderWay ? 'none yet: the first one is being taken' : `none yet: the next attempt is at ${firstBackupAt}`;
}

function describeBackup(backup: BackupRecord): string {
  return `${backup.takenAt}, ${formatSize(backup.bytes)}, ${backup.state}, ${backupPlace(backup)}`;
}
