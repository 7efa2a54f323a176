/** What Xen itself needs for a domain beside the guest's own memory. Pure; for the ledger, placement, the check of an order and the dom0. */
import type { Amounts } from './capacity.ts';
import { MiB } from './sizes.ts';
import type { GuestFields } from './field-types.ts';

/** The parts of a guest that decide it. */
export type DomainShape = Pick<GuestFields['os'], 'type'> &
  Pick<GuestFields['size'], 'memoryBytes' | 'vcpus' | 'maxMemoryBytes' | 'maxVcpus'>;

/**
 * For each domain: its structures, event channels and grant tables. libxl keeps as much free before it makes one (`LIBXL_PV_EXTRA_MEMORY`,
 * `LIBXL_HVM_EXTRA_MEMORY`: 2 MiB). Measured on Xen 4.17: 128 KiB for a PV domain that has not run.
 */
const EACH = 2 * MiB;

/** The paging pool of a domain that runs on hardware paging: 256 pages for each vcpu (libxl, `libxl__get_required_paging_memory`) … */
const PAGING_EACH_VCPU = MiB;
/** … and a page for each MiB that it may ever have. */
const MEMORY_PER_PAGING_BYTE = 256;
/** Measured on Xen 4.17 beside the pool: 8.9 MiB for a PVH domain of 128 MiB and 8 vcpus, 1.7 MiB with one vcpu. */
const VCPU_BYTES = 64 * 1024;

/** Bytes, a whole number of MiB: memory is sold in them. */
export function xenOverheadBytes({ type, memoryBytes, vcpus, maxMemoryBytes, maxVcpus }: DomainShape): number {
  if (type === 'pv') return EACH;
  const most = Math.max(memoryBytes, maxMemoryBytes ?? 0);
  const cpus = Math.max(vcpus, maxVcpus ?? 0);
  return Math.ceil((EACH + cpus * (PAGING_EACH_VCPU + VCPU_BYTES) + most / MEMORY_PER_PAGING_BYTE) / MiB) * MiB;
}

/** What a guest takes of its dom0. */
export function amountsOf({ size, os }: Pick<GuestFields, 'size' | 'os'>): Amounts & { readonly overheadBytes: number } {
  const { memoryBytes, vcpus, diskBytes, swapBytes } = size;
  return { memoryBytes, overheadBytes: xenOverheadBytes({ ...size, type: os.type }), vcpus, diskBytes: diskBytes + swapBytes };
}

/** Memory that is gone from the dom0 with it: the guest's own, and what Xen needs for it. */
export function xenMemoryOf({ memoryBytes, overheadBytes = 0 }: Pick<Amounts, 'memoryBytes' | 'overheadBytes'>): number {
  return memoryBytes + overheadBytes;
}
