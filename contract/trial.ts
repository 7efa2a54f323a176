/** The trial of a backup: a domain beside its guest, small and without a network, that is started from a restored copy of the guest's disk. Pure. */
import type { GuestSpec } from './guest.ts';
import { xenOverheadBytes } from './overhead.ts';
import { GiB, MiB } from './sizes.ts';

/** Memory that a trial has at most: enough for a system to come up to its login. */
const MOST_MEMORY = GiB;

/** Its swap: what is in a guest's fstab is to be there, or the system waits for it. */
const SWAP_BYTES = 64 * MiB;

/** What a guest cannot be called, so that no guest's domain has this name. */
const SUFFIX = '+trial';

/** The name of the trial's domain and cfg. */
export function trialName(guest: string): string {
  return `${guest}${SUFFIX}`;
}

/** The guest that a domain of this name belongs to: of a trial, the guest whose backup is tried. */
export function guestOfDomain(name: string): string {
  return name.endsWith(SUFFIX) ? name.slice(0, -SUFFIX.length) : name;
}

/** What the trial is like. */
export function trialOf(spec: GuestSpec): GuestSpec {
  const { maxMemoryBytes: _memory, maxVcpus: _vcpus, memoryBytes, ...size } = spec.size;
  return { ...spec, size: { ...size, vcpus: 1, memoryBytes: Math.min(memoryBytes, MOST_MEMORY), swapBytes: SWAP_BYTES } };
}

/**
 * What a guest takes of its dom0 while a trial of it runs.
 *
 * @param diskBytes size of the file system that is restored for it
 */
export function withTrial(spec: GuestSpec, diskBytes: number): GuestSpec {
  const { size, os } = trialOf(spec);
  const { memoryBytes, vcpus, diskBytes: own } = spec.size;
  return {
    ...spec,
    size: {
      ...spec.size,
      memoryBytes: memoryBytes + size.memoryBytes + xenOverheadBytes({ ...size, type: os.type }),
      vcpus: vcpus + size.vcpus,
      diskBytes: own + diskBytes + size.swapBytes,
    },
  };
}
