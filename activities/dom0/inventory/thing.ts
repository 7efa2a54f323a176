/** One thing on a dom0 that is ours, or stands where ours would be. */
import type { Amounts } from '../../../contract/capacity.ts';
import { UNKNOWN_ORDER } from '../../../contract/dom0.ts';
import { distOfTrial } from '../../../contract/golden.ts';
import { whyNotGuestName } from '../../../contract/guest-name.ts';
import type { Owner } from '../marks.ts';

/** `user`: something that uses an image, as a loop device or a mount. */
export type ThingKind = 'domain' | 'cfg' | 'autostart' | 'disk' | 'image' | 'backups' | 'state' | 'saved memory' | 'golden' | 'user';

/** One thing on a dom0. */
export interface Thing {
  readonly kind: ThingKind;
  /** How it is told to people: a path, `domain NAME`, `volume VG/NAME`. */
  readonly where: string;
  /** Its owner, by its mark; if it is half made, by its place, with an unknown order. Undefined if neither tells an owner. */
  readonly owner: Owner | undefined;
  /** The name of the guest in whose place it lies: a new guest of that name would meet it. */
  readonly placeOf?: string;
  /** It is half made or half removed. It is in no guest's way: making or removing the whole one removes it. */
  readonly isHalf?: true;
  /** What it takes of the dom0. */
  readonly takes?: Amounts;
  /** The pool that its disk is in. */
  readonly pool?: string;
}

/** The owner of a thing in a guest's place, by the mark in it. If the mark is missing or another guest's, the order is unknown. */
export function ownerByPlace(guest: string, mark: Owner | undefined): Owner | undefined {
  if (whyNotGuestName(guest) !== undefined && distOfTrial(guest) === undefined) return undefined;
  return mark?.guest === guest ? mark : { guest, order: UNKNOWN_ORDER };
}
