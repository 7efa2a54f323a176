/** A fake dom0 and what the steps need around it. */
import { expect } from 'vitest';
import { anOrder, changed, type Changes } from '../../../../an-order.ts';
import type { Dom0Settings } from '../../../../../order/dom0-settings.ts';
import { dom0SettingsSchema } from '../../../../../order/dom0-settings.ts';
import type { GuestSpec } from '../../../../../contract/guest.ts';
import { createEnv } from '../../../../../activities/dom0/drivers.ts';
import type { StepEnv } from '../../../../../activities/dom0/env.ts';
import { ensureGolden } from '../../../../../activities/dom0/images/golden.ts';
import { discardImage } from '../../../../../activities/dom0/images/image-files.ts';
import { fixCfg } from '../../../../../activities/dom0/steps/cfg-fix.ts';
import { createImage } from '../../../../../activities/dom0/steps/create-image.ts';
import { makeVolumes } from '../../../../../activities/dom0/steps/lvm-migration.ts';
import type { Host } from '../../../../../system/host.ts';
import { createFakeDom0, type FakeDom0, type FakeDom0Options } from '../../../../../fake/index.ts';

export const NETWORK = { cidr: '10.0.0.0/24', gateway: '10.0.0.1', bridge: 'xenbr0' } as const;
const MiB = 2 ** 20;

export function fakeDom0(options: Partial<FakeDom0Options> = {}): Promise<FakeDom0> {
  return createFakeDom0({ network: NETWORK, ...options });
}

/** @param network what differs in the settings of the network */
export function settings(network: Partial<Dom0Settings['network']> = {}): Dom0Settings {
  return dom0SettingsSchema.parse({
    host: 'dom0',
    network: { cidr: NETWORK.cidr, gateway: NETWORK.gateway, ...network },
    kernel: '/boot/vmlinuz-6.1.0-49-amd64',
    initrd: '/boot/initrd.img-6.1.0-49-amd64',
    // Nothing is gained by resting between the parts of a wipe that is none.
    wipeMiBPerSecond: 0,
  });
}

export function spec(name = 'guest1', ip = '10.0.0.5', changes: Changes<GuestSpec> = {}): GuestSpec {
  const order = anOrder(name, 'dom0', {
    size: { memoryBytes: 512 * MiB, swapBytes: 256 * MiB },
    storage: { fsOptions: 'noatime,errors=remount-ro' },
  });
  const network = { ip, netmask: '255.255.255.0', gateway: '10.0.0.1', bridge: 'xenbr0', mac: '00:16:3E:A3:69:9C' };
  return changed({ ...order, network }, changes);
}

export function stepEnv(host: Host, signal: AbortSignal = new AbortController().signal, its = settings()): StepEnv {
  const quiet = { info: () => undefined, warn: () => undefined };
  return createEnv({ host, settings: its, signal, attempt: 1, progress: () => undefined, log: quiet });
}

/** A fake dom0 with a guest on volumes of its own, switched off. */
export async function dom0With(guest: GuestSpec): Promise<{ dom0: FakeDom0; env: StepEnv }> {
  const dom0 = await fakeDom0();
  const env = stepEnv(dom0.host());
  await onVolumes(env.host, guest);
  return { dom0, env };
}

/** Closes a fake dom0, which has known all that it was asked. */
export function closeKnowing(dom0: FakeDom0): void {
  expect(dom0.unknown).toEqual([]);
  dom0.close();
}

/** A guest with volumes of its own, switched off. */
export async function onVolumes(host: Host, guest: GuestSpec, its = settings()): Promise<void> {
  const env = stepEnv(host, undefined, its);
  await ensureGolden(env, { dist: guest.os.dist });
  await createImage(env, { spec: guest });
  await fixCfg(env, { spec: guest, disks: 'image', onCrash: 'destroy' });
  await makeVolumes(env, guest);
  await fixCfg(env, { spec: guest, disks: 'volume', onCrash: 'restart' });
  await discardImage(env, guest);
}
