/** What Xen needs for a guest beside its memory: never less than was measured, so that the last guest that is sold also starts. */
import { describe, expect, it } from 'vitest';
import { anOrder } from '../../an-order.ts';
import { amountsOf, xenMemoryOf, xenOverheadBytes } from '../../../contract/overhead.ts';
import { MiB } from '../../../contract/sizes.ts';

/** Free memory of Xen 4.17.7 before and after `xl create -p`, in MiB; xl rounds what is free down. */
const MEASURED: readonly (readonly [type: 'pv' | 'pvh', memory: number, vcpus: number, most: number, took: number])[] = [
  ['pv', 128, 1, 128, 0.13],
  ['pv', 128, 8, 128, 0.19],
  ['pv', 512, 2, 2048, 0],
  ['pv', 2515, 1, 2515, 0],
  ['pvh', 128, 1, 128, 1.7],
  ['pvh', 128, 8, 128, 8.9],
  ['pvh', 256, 2, 256, 3],
  ['pvh', 256, 4, 256, 6],
  ['pvh', 512, 1, 1024, 5],
  ['pvh', 512, 2, 2048, 10],
  ['pvh', 1024, 4, 1024, 9],
  ['pvh', 2048, 1, 2048, 9],
  ['pvh', 2495, 1, 2495, 11],
];

describe('what Xen needs for a guest', () => {
  it.each(MEASURED)(
    'is no less than measured, and not much more: %s %d MiB, %d vcpus, at most %d MiB',
    (type, memory, vcpus, most, took) => {
      const overhead = xenOverheadBytes({ type, memoryBytes: memory * MiB, vcpus, maxMemoryBytes: most * MiB }) / MiB;
      expect(overhead).toBeGreaterThanOrEqual(took);
      expect(overhead).toBeLessThanOrEqual(took + 4);
      expect(overhead % 1).toBe(0);
    },
  );

  it('follows the vcpus and the memory that it may grow to', () => {
    const small = { type: 'pvh' as const, memoryBytes: 512 * MiB, vcpus: 1 };
    expect(xenOverheadBytes({ ...small, maxVcpus: 8 })).toBe(xenOverheadBytes({ ...small, vcpus: 8 }));
    expect(xenOverheadBytes({ ...small, maxMemoryBytes: 8192 * MiB })).toBe(xenOverheadBytes({ ...small, memoryBytes: 8192 * MiB }));
  });

  it('is sold with the guest', () => {
    const guest = anOrder('any', 'xen1', {
      size: { memoryBytes: 512 * MiB, diskBytes: 4096 * MiB, swapBytes: 256 * MiB },
      os: { type: 'pvh' },
    });
    expect(amountsOf(guest)).toEqual({ memoryBytes: 512 * MiB, overheadBytes: 6 * MiB, vcpus: 1, diskBytes: 4352 * MiB });
    expect(xenMemoryOf(amountsOf(guest))).toBe(518 * MiB);
  });
});
