/** Which names a guest may have. Pure, so that the command line, the gateway and the dom0 refuse the same ones. */

/**
 * Prefixes and substrings that lvcreate refuses in a volume's name. lvm(8) says "equal to" for the first two, but the code
 * compares the start (lib/misc/lvm-string.c, `apply_lvname_restrictions`); the substrings are there for completeness: a guest's
 * name has no underscore.
 */
const LVM_RESERVED_PREFIXES = ['snapshot', 'pvmove'];

/** Names that would read as something else on a dom0. `del-` is the prefix of volumes on their way out. */
const OTHER_RESERVED = ['dom0', 'domain-0', 'localhost', 'template', 'default', 'all', 'lost-found'];

const PATTERN = /^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/;

/** Longest name: `vg-<name>-root` with every hyphen doubled by device-mapper must stay within its 127 characters. */
const LONGEST = 63;

/**
 * Why a guest cannot have this name, or undefined when it can.
 *
 * Names are host names in lower case (letters, digits, hyphens, dots between labels), so that one name serves as host name, domain name,
 * file name and part of a volume's name.
 */
export function whyNotGuestName(name: string): string | undefined {
  if (name.length === 0) return 'it is empty';
  if (name.length > LONGEST) return `it has ${name.length} characters, more than ${LONGEST}`;
  if (/[A-Z]/.test(name) && PATTERN.test(name.toLowerCase()))
    return `it has capitals; host names do not tell them apart: use "${name.toLowerCase()}"`;
  if (!PATTERN.test(name))
    return 'it must be a host name: letters a-z, digits and hyphens, labels joined by dots, no hyphen at the start or end of a label';
  if (/^[0-9]+$/.test(name)) return 'xl takes a name of digits alone for a domain id';
  if (/^[0-9.]+$/.test(name)) return 'it looks like an address';
  const prefix = LVM_RESERVED_PREFIXES.find((reserved) => name.startsWith(reserved));
  if (prefix !== undefined) return `LVM reserves volume names that start with "${prefix}"`;
  if (name.startsWith('del-')) return 'names that start with "del-" are those of volumes being wiped';
  if (OTHER_RESERVED.includes(name)) return 'the name is reserved';
  if (deviceMapperLength(name) > 100) return 'with its hyphens doubled by device-mapper it is longer than LVM allows';
  return undefined;
}

/**
 * `whyNotGuestName`, as JSON Schema says it, but for what device-mapper makes of hyphens: a name of 63 characters may have 31, one of 48
 * characters 46.
 */
export const GUEST_NAME_FORM = {
  pattern: PATTERN.source.replace(
    /^\^/,
    `^(?!${[...LVM_RESERVED_PREFIXES, 'del-'].join('|')})(?!(?:${OTHER_RESERVED.join('|')})$)(?![0-9.]+$)`,
  ),
  maxLength: LONGEST,
} as const;

/** Length of a volume's device-mapper name without the volume group: hyphens are doubled, `-root` comes on top. */
function deviceMapperLength(name: string): number {
  return `${name}-root`.replaceAll('-', '--').length;
}

/** Names of dom0s: part of queue and workflow names. */
export const DOM0_NAME_PATTERN = /^[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?$/;

/**
 * Ids of orders, as billing systems make them: Stripe's checkout sessions have more than 66 characters. They appear in LV tags (1024 bytes), in
 * workflow ids (1000), and in search attributes, which a Temporal on PostgreSQL keeps to 255.
 */
export const ORDER_ID_PATTERN = /^[A-Za-z0-9][A-Za-z0-9._-]{0,199}$/;

/** Why a text is no id of an order, worded to follow the field's name; undefined when it is one. */
export function whyNotOrderId(id: string): string | undefined {
  return ORDER_ID_PATTERN.test(id)
    ? undefined
    : 'is no id of an order: 1-200 letters, digits, dots, hyphens, underscores, starting with a letter or digit';
}

/** An id that many billing systems count, as text. A number beyond 2^53 has lost its last digits already: it would be another one's. */
export function countedId(value: unknown): unknown {
  return Number.isSafeInteger(value) ? String(value) : value;
}

/**
 * The name of the guest of a later life of an order: its guest was terminated and is gone, and the order was begun anew.
 *
 * @param first name of the first life's guest, which ends in a hash: no other order's name can be this one
 */
export function guestNameOfLife(first: string, life: number): string {
  return life === 1 ? first : `${first}-${life}`;
}
