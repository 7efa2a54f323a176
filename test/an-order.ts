/** An order as tests need one; what a test is about, it changes. */
import { MiB } from '../contract/sizes.ts';
import type { GuestOrder } from '../contract/guest.ts';

/** Some fields, in their groups. */
export type Changes<T> = {
  readonly [K in keyof T]?: NonNullable<T[K]> extends readonly unknown[] | string | number ? T[K] : Partial<NonNullable<T[K]>>;
};

const isGroup = (value: unknown): value is object => typeof value === 'object' && value !== null && !Array.isArray(value);

/** The same with these fields; what a group does not name stays. */
export function changed<T extends object>(of: T, changes: Changes<T>): T {
  const former = of as Readonly<Record<string, unknown>>;
  const rows = Object.entries(changes).map(([key, value]): [string, unknown] => {
    const was = former[key];
    return [key, isGroup(was) && isGroup(value) ? { ...was, ...value } : value];
  });
  return { ...of, ...Object.fromEntries(rows) };
}

/** A small guest. */
export function anOrder(name: string, dom0: string, changes: Changes<GuestOrder> = {}): GuestOrder {
  const small: GuestOrder = {
    order: `order-${name}`,
    name,
    plan: 'small',
    dom0,
    size: { memoryBytes: 256 * MiB, vcpus: 1, diskBytes: 2048 * MiB, swapBytes: 128 * MiB },
    os: { type: 'pv', dist: 'bookworm', installMethod: 'golden', recipe: 'how-to', serialDevice: 'hvc0', timezone: 'UTC', extra: [] },
    network: {},
    access: { managed: false, sshKeys: [] },
    storage: { fs: 'ext4', fsOptions: 'noatime', image: 'sparse' },
    backup: { retention: { daily: 7 }, proveDays: 0 },
    life: { graceDays: 7 },
  };
  return changed(small, changes);
}
