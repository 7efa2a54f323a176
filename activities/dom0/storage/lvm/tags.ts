/** LVM tags that guestflow puts on a volume: its owner, and how far work on it has come. */
import type { Owner } from '../../marks.ts';
import type { Volume } from './reports.ts';

export const GUESTFLOW_TAG = 'guestflow';
const GUEST_TAG = 'guestflow.guest=';
const ORDER_TAG = 'guestflow.order=';

/** On a volume that guests' disks are cloned from. */
export const TEMPLATE_TAG = 'guestflow.template';
/** On a volume whose content is not whole yet. One `lvchange` removes it, which is atomic. */
export const UNFINISHED_TAG = 'guestflow.unfinished';
/** On a volume whose wipe has begun: up to which byte it is zeroed. Such a volume is never used again. */
export const WIPED_TAG = 'guestflow.wiped-to=';
/** On a grown volume whose new part may still hold another tenant's bytes: where that part begins. */
export const GROWN_TAG = 'guestflow.grown-from=';

export function volumeTags(owner: Owner): string[] {
  return [GUESTFLOW_TAG, `${GUEST_TAG}${owner.guest}`, `${ORDER_TAG}${owner.order}`];
}

export function volumeOwner(volume: Volume): Owner | undefined {
  const value = (prefix: string): string | undefined => tagsWith(volume, prefix)[0]?.slice(prefix.length);
  const guest = value(GUEST_TAG);
  const order = value(ORDER_TAG);
  return volume.tags.includes(GUESTFLOW_TAG) && guest !== undefined && order !== undefined ? { guest, order } : undefined;
}

/** The volume's tags that begin with this prefix. */
export function tagsWith(volume: Volume, prefix: string): string[] {
  return volume.tags.filter((tag) => tag.startsWith(prefix));
}
