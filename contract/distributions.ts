/**
 * The distributions that guests can have: one table for the check of an order, the golden tarball, xen-tools and the role. Pure.
 *
 * A guest boots its dom0's kernel, so what differs is what is in user space.
 */
import { MiB } from './sizes.ts';

/** What differs from one distribution to the next. */
export interface Distribution {
  readonly name: string;
  /** What its makers call it. */
  readonly title: string;
  readonly family: 'debian' | 'ubuntu';
  /** Keys of its archive, and the Debian package that has them. */
  readonly keyring: { readonly path: string; readonly package: string };
  /** Where packages come from when neither order, plan nor the dom0's settings and apt sources say. A dom0, which is Debian, has sources of Debian. */
  readonly mirror?: string;
  /** Of the archive, for the golden tarball and the guest's own apt. */
  readonly components: readonly string[];
  /** What writes the guest's network: xen-tools has a hook for each. */
  readonly network: 'ifupdown' | 'netplan';
  /** Names that xen-tools 4.9 knows are its own; `--dist` of one that it does not know is of the next of kin, whose hooks are the same. */
  readonly hooks: string;
  /** Whether Debian 12's debootstrap has a script for it. The golden tarball is made by mmdebstrap, which needs none. */
  readonly debootstrap: boolean;
  /** Package of the time zones that were split off tzdata: Debian 13, Ubuntu 23.10. */
  readonly legacyZones?: string;
  /** Packages of the golden tarball beside those of all. */
  readonly packages: readonly string[];
  /** Until when its makers mend it without a contract: Debian with its LTS, Ubuntu's standard support. */
  readonly endOfLife: string;
}

const DEBIAN = {
  family: 'debian',
  keyring: { path: '/usr/share/keyrings/debian-archive-keyring.gpg', package: 'debian-archive-keyring' },
  components: ['main'],
  network: 'ifupdown',
  debootstrap: true,
  packages: ['ifupdown'],
} as const;

const UBUNTU = {
  family: 'ubuntu',
  // In Debian 13; Debian 12 has no such package, its operator takes the file from Ubuntu's or Debian 13's.
  keyring: { path: '/usr/share/keyrings/ubuntu-archive-keyring.gpg', package: 'ubuntu-keyring' },
  mirror: 'http://archive.ubuntu.com/ubuntu',
  components: ['main', 'universe'],
  network: 'netplan',
  hooks: 'jammy',
  // language-pack-en: xen-tools' hook would fetch it for each guest.
  packages: ['netplan.io', 'language-pack-en'],
} as const;

/** In the order in which a person reads them. */
export const DISTRIBUTIONS: readonly Distribution[] = [
  { ...DEBIAN, name: 'bookworm', title: 'Debian 12', hooks: 'bookworm', endOfLife: '2028-06-30' },
  {
    ...DEBIAN,
    name: 'trixie',
    title: 'Debian 13',
    hooks: 'trixie',
    legacyZones: 'tzdata-legacy',
    packages: [...DEBIAN.packages, 'tzdata-legacy'],
    endOfLife: '2030-06-30',
  },
  { ...UBUNTU, name: 'jammy', title: 'Ubuntu 22.04 LTS', debootstrap: true, endOfLife: '2027-04-30' },
  {
    ...UBUNTU,
    name: 'noble',
    title: 'Ubuntu 24.04 LTS',
    debootstrap: false,
    legacyZones: 'tzdata-legacy',
    packages: [...UBUNTU.packages, 'tzdata-legacy'],
    endOfLife: '2029-05-31',
  },
];

/**
 * Least memory of any guest, in bytes. Guests boot their dom0's kernel, and what takes most is its initial RAM disk, which is there packed and
 * unpacked for a moment. Measured with Debian's own (MODULES=most): Debian 12's packs 124 MiB into 29, boots to a login with 256 MiB and
 * dies with 224; Debian 13's, 58 MiB into 34, boots with 192 and dies with 160.
 */
export const LEAST_MEMORY = 256 * MiB;

/** What of a guest's memory must be left when the books on its room are kept: 62 MiB of kernel, 29 and 124 of Debian 12's RAM disk, 32 to run in. */
export const LEAST_LEFT = 247 * MiB;

export function distributionOf(name: string): Distribution | undefined {
  return DISTRIBUTIONS.find((dist) => dist.name === name);
}

/** Why an order cannot have this distribution, or undefined. */
export function whyNotDist(text: string): string | undefined {
  return distributionOf(text) === undefined
    ? `is no distribution that guestflow knows: ${DISTRIBUTIONS.map(({ name }) => name).join(', ')}`
    : undefined;
}
