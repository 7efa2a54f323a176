/** The Debian releases that the lab's dom0 and its guests are built from, and what tells them apart. */
import { LabError } from './errors.ts';

/** Releases of the lab's dom0, and of the guests whose golden tarballs it carries; the oldest first. */
export const RELEASES = ['bookworm', 'trixie'] as const;

export type Release = (typeof RELEASES)[number];

/** What a lab is built from when nobody says otherwise. */
export const DEFAULT_RELEASE: Release = 'bookworm';

/** What differs between the dom0s of the releases. */
export interface ReleaseFacts {
  /** Version of Xen in the names of its packages and files. */
  readonly xen: string;
  /** An older release whose xen-tools are taken: Debian 13 has none (the package, 4.9.2-1, is in Debian 12 and in unstable; it is Perl, and installs). */
  readonly xenToolsFrom?: Release;
}

export const RELEASE_FACTS: Readonly<Record<Release, ReleaseFacts>> = {
  bookworm: { xen: '4.17' },
  trixie: { xen: '4.20', xenToolsFrom: 'bookworm' },
};

/**
 * The release of that name.
 *
 * @throws LabError (`bad-input`) for a name that the lab cannot be built from.
 */
export function releaseNamed(name: string): Release {
  const found = RELEASES.find((release) => release === name);
  if (found === undefined)
    throw new LabError('bad-input', `"${name}" is no release that the lab is built from: use ${RELEASES.join(' or ')}`);
  return found;
}

/** Which dom0 a lab has, and which guests its dom0 can make. */
export interface LabKind {
  readonly release: Release;
  /** Distributions whose golden tarballs are on the dom0, in the order of `RELEASES`. */
  readonly dists: readonly Release[];
}

/**
 * The kind that is asked for.
 *
 * @param dists default: `bookworm`, which guestflow's own plans order, and the dom0's own release.
 */
export function labKind(release: Release = DEFAULT_RELEASE, dists: readonly Release[] = [DEFAULT_RELEASE, release]): LabKind {
  return { release, dists: RELEASES.filter((dist) => dists.includes(dist)) };
}

/** The part of a cache key from which the release can be read. */
export function releaseOfKey(key: string): string {
  return key.split('-')[0] ?? '';
}
