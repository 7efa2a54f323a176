/** Golden images of a dom0: what there is, and what came of renewing it. Plain types: workflow code imports them. */
import type { Amounts } from './capacity.ts';
import type { GuestFields } from './field-types.ts';
import { xenOverheadBytes } from './overhead.ts';
import { MiB } from './sizes.ts';

/** What a golden root file system is made for: it is the same for all guests that agree in this. */
export interface GoldenSystem {
  readonly dist: string;
  readonly type: 'pv' | 'pvh';
  readonly timezone: string;
  readonly serialDevice: string;
  readonly fs: GuestFields['storage']['fs'];
  readonly fsOptions: string;
  /** Size of the file system when it is made. */
  readonly diskBytes: number;
  /** The mirror that the orders name. Default: the dom0's. */
  readonly mirror?: string;
}

/** The golden tarball of a distribution on a dom0, and the golden root file systems that are made from it. */
export interface GoldenImage {
  readonly dist: string;
  /** ISO 8601. */
  readonly createdAt: string;
  /** It will soon be so old that an order would make it anew, and wait for that. */
  readonly isDue: boolean;
  /** What guests were made for lately. */
  readonly systems: readonly GoldenSystem[];
  /** sha256 of the tarball that was in use before, where it can be brought back. */
  readonly former?: string;
}

/** The golden image that a guest's system was made of. */
export interface GoldenOfGuest {
  readonly dist: string;
  /** When the tarball was made, or of the recipe `direct` the root file system (ISO 8601). */
  readonly createdAt: string;
  /** sha256 of the tarball. Missing: its dom0's worker is of an earlier version, or the system was installed by debootstrap. */
  readonly tarball?: string;
}

/** What came of renewing the golden images of a distribution. */
export interface GoldenRenewal {
  readonly dist: string;
  /** When the one in use was made (ISO 8601). */
  readonly createdAt: string;
  /** How many golden root file systems were made with it. */
  readonly roots: number;
  /** Why the former one stays in use; undefined: the new one is in use. */
  readonly problem?: string;
  /** There was no room or no time for it: that passes, and operators are not told. */
  readonly isLeftForLater?: true;
}

/** What is renewed. */
export interface RenewalWish {
  /** Only this distribution. Default: all that the dom0 has. */
  readonly dist?: string;
  /** Only what is due. Default: whatever its age. */
  readonly isDueOnly?: true;
  /** Nothing is made: the one before is brought back. Needs `dist`. */
  readonly isBack?: true;
}

/** Stands where the order would in the marks of a golden image's trial, and in the ledger. */
export const RENEWAL_ORDER = 'renewal';

/** What no guest can be called. */
const TRIAL_PREFIX = 'golden_';

/** Whose the trial of a golden image is, in marks and names: no guest's. */
export function goldenTrialName(dist: string): string {
  return `${TRIAL_PREFIX}${dist}`;
}

/** The distribution of which this is the trial's name; undefined: it is none. */
export function distOfTrial(name: string): string | undefined {
  return name.startsWith(TRIAL_PREFIX) ? name.slice(TRIAL_PREFIX.length) : undefined;
}

/** Memory of a trial: enough for a system to come up to its login. */
export const TRIAL_MEMORY_BYTES = 512 * MiB;
/** Its swap is small, as that of a backup's trial. */
const TRIAL_SWAP_BYTES = 64 * MiB;

/** What a trial takes of its dom0. */
export function goldenTrialTakes({ type, diskBytes }: GoldenSystem): Amounts {
  const domain = { memoryBytes: TRIAL_MEMORY_BYTES, vcpus: 1 };
  return { ...domain, overheadBytes: xenOverheadBytes({ ...domain, type }), diskBytes: diskBytes + TRIAL_SWAP_BYTES };
}
