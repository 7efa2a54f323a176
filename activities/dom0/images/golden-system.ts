/** What a golden root file system is made for, apart from any guest. */
import { z } from 'zod';
import { defined } from '../../../contract/defined.ts';
import { RENEWAL_ORDER, type GoldenSystem } from '../../../contract/golden.ts';
import type { GuestNetwork, GuestSpec } from '../../../contract/guest.ts';
import { GiB, MiB } from '../../../contract/sizes.ts';
import { guestSpecSchema } from '../../../contract/wire.ts';
import type { Dom0Settings } from '../../../order/dom0-settings.ts';

/** The size that it is made with, unless the guest's disk is smaller. It grows with the disk that it is written to. */
const MOST_BYTES = 2 * GiB;
/** What xen-tools calls the machine that it installs; no guest's name is in it. */
const NOBODY = 'golden-root';

const { os, storage, size } = guestSpecSchema.shape;

/** Of what is read from a record, and of what a workflow sends. */
export const goldenSystemSchema = z.strictObject({
  ...os.pick({ dist: true, type: true, timezone: true, serialDevice: true, mirror: true }).shape,
  ...storage.pick({ fs: true, fsOptions: true }).shape,
  diskBytes: size.shape.diskBytes,
}) satisfies z.ZodType<GoldenSystem>;

/** The size of the file system when it is made. */
export function goldenBytes({ size: { diskBytes } }: Pick<GuestSpec, 'size'>): number {
  return Math.min(diskBytes, MOST_BYTES);
}

/** The network that it is installed with, until it is a guest's: addresses for documentation (RFC 5737). */
export function goldenNetwork({ bridge }: Pick<GuestNetwork, 'bridge'>): GuestNetwork {
  return { ip: '192.0.2.2', netmask: '255.255.255.0', gateway: '192.0.2.1', bridge, mac: '00:16:3E:00:00:00' };
}

/** What a guest's golden root file system is made for. */
export function systemOf(spec: GuestSpec): GoldenSystem {
  const { dist, type, timezone, serialDevice, mirror } = spec.os;
  const { fs, fsOptions } = spec.storage;
  return { dist, type, timezone, serialDevice, fs, fsOptions, diskBytes: goldenBytes(spec), ...defined({ mirror }) };
}

/** A guest that is nobody's, for which it is made when no order is there. */
export function nobodyOf(settings: Dom0Settings, { fs, fsOptions, diskBytes, ...of }: GoldenSystem): GuestSpec {
  return {
    name: NOBODY,
    order: RENEWAL_ORDER,
    dom0: settings.host,
    plan: 'golden',
    size: { memoryBytes: 256 * MiB, vcpus: 1, diskBytes, swapBytes: 16 * MiB },
    os: { ...of, installMethod: 'golden', recipe: 'direct', extra: [] },
    network: goldenNetwork(settings),
    access: { managed: false, sshKeys: [] },
    storage: { fs, fsOptions, image: 'sparse' },
    backup: { retention: { last: 1 }, proveDays: 0 },
    life: { graceDays: 0 },
  };
}
