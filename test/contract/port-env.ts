/** The ports of a dom0 under test, as steps get them. */
import { createEnv } from '../../activities/dom0/drivers.ts';
import type { StepEnv } from '../../activities/dom0/env.ts';
import { dom0SettingsSchema, type Dom0Settings } from '../../order/dom0-settings.ts';
import type { ContractContext } from './contract-context.ts';

/** @param where disks are made: in a thin pool, or as files in a directory. Default: they take extents of the volume group */
export function portsOf(
  { host, vg, imageDir }: Pick<ContractContext, 'host' | 'vg' | 'imageDir'>,
  where: Partial<Pick<Dom0Settings, 'thinPool' | 'diskDir'>> = {},
): StepEnv {
  const settings = dom0SettingsSchema.parse({
    host: 'dom0',
    network: { cidr: '10.0.0.0/24', gateway: '10.0.0.1' },
    kernel: '/boot/vmlinuz',
    initrd: '/boot/initrd.img',
    volumeGroup: vg,
    imageDir,
    stateDir: `${imageDir}/state`,
    backupDir: `${imageDir}/backups`,
    wipeMiBPerSecond: 0,
    policy: { reserve: { disk: 0 } },
    ...where,
  });
  const log = { info: () => undefined, warn: () => undefined };
  return createEnv({ host, settings, signal: new AbortController().signal, attempt: 1, progress: () => undefined, log });
}
