/** Marks by which guestflow knows its things: a header in the cfg, a marker file in directories, tags on volumes. Each names guest and order (promise 5). */
import type { GuestRef } from '../../contract/guest.ts';
import { GuestflowError } from '../../contract/errors.ts';

/** Who a marked thing belongs to. */
export interface Owner {
  readonly guest: string;
  readonly order: string;
}

/** The owner whose things are meant: a guest and its order. */
export type Ref = Pick<GuestRef, 'name' | 'order'>;

/** A domain of a guest. */
export interface DomainRef extends Ref {
  /** Its name. Default: the guest's own. */
  readonly domain?: string;
}

/** The name of the domain that is meant. */
export function domainNameOf({ name, domain }: DomainRef): string {
  return domain ?? name;
}

const HEADER = /^# guestflow: guest=(\S+) order=(\S+)/;

/** First line of a cfg that is ours. */
export function cfgHeader(owner: Owner): string {
  return `# guestflow: guest=${owner.guest} order=${owner.order} - made by guestflow; your own lines and comments are kept`;
}

export function cfgOwner(cfg: Uint8Array): Owner | undefined {
  const [line = ''] = Buffer.from(cfg).toString('latin1').split('\n', 1);
  const match = HEADER.exec(line);
  return match?.[1] !== undefined && match[2] !== undefined ? { guest: match[1], order: match[2] } : undefined;
}

/** Name of the marker file in directories that are ours. */
export const MARKER_FILE = 'guestflow.json';

export function markerText(owner: Owner): string {
  return `${JSON.stringify({ guest: owner.guest, order: owner.order })}\n`;
}

export function markerOwner(text: Uint8Array | undefined): Owner | undefined {
  if (text === undefined) return undefined;
  try {
    const value: unknown = JSON.parse(Buffer.from(text).toString('utf8'));
    if (
      typeof value === 'object' &&
      value !== null &&
      'guest' in value &&
      'order' in value &&
      typeof value.guest === 'string' &&
      typeof value.order === 'string'
    ) {
      return { guest: value.guest, order: value.order };
    }
  } catch {
    // Not our marker, then.
  }
  return undefined;
}

export function isOwner(owner: Owner | undefined, ref: Ref): boolean {
  return owner?.guest === ref.name && owner.order === ref.order;
}

/** Throws unless the thing is marked as this guest's of this order. */
export function mustOwn(owner: Owner | undefined, ref: Ref, what: string): void {
  if (isOwner(owner, ref)) return;
  const whose = owner === undefined ? 'it carries no mark of guestflow' : `it belongs to guest ${owner.guest} of order ${owner.order}`;
  throw new GuestflowError(
    'NotOurs',
    `${what} exists and is not this order's: ${whose}. guestflow leaves it alone; move it away or choose another name.`,
    {
      field: 'name',
      value: ref.name,
    },
  );
}
