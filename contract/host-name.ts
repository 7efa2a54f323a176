/** Which host names a guest may have inside: what DNS takes for a host (RFC 1123, 2.1). Pure; edge, wire and dom0 share it. */

/** Longest name in DNS, without the dot of the root (RFC 1035, 2.3.4, whose 255 bytes count two more). */
export const LONGEST_HOSTNAME = 253;

/** Labels of 1–63 letters, digits and hyphens. The first one is the guest's short name: Linux takes 64 bytes (HOST_NAME_MAX). */
export const HOSTNAME_PATTERN = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$/;

/** Host names are the same in either case, and with or without the dot of the root: they are kept in lower case, without it. */
export function normalHostname(name: string): string {
  // Not toLowerCase on its own: it makes a k of the Kelvin sign (U+212A).
  return name.replace(/[A-Z]+/g, (capitals) => capitals.toLowerCase()).replace(/\.$/, '');
}

/** Why a machine cannot be called so, or undefined. */
export function whyNotHostname(name: string): string | undefined {
  if (name.length > LONGEST_HOSTNAME) return `is longer than ${LONGEST_HOSTNAME} characters`;
  if (!HOSTNAME_PATTERN.test(name))
    return 'is no host name: labels of 1-63 letters, digits and hyphens, joined by dots, no hyphen at the start or end of a label';
  return /(^|\.)[0-9]+$/.test(name) ? 'is no host name: its last label is a number' : undefined;
}

/** As JSON Schema says what is taken before it is made normal: either case, the dot of the root, a last label that is no number. */
export const HOSTNAME_FORM = HOSTNAME_PATTERN.source
  .replaceAll('a-z', 'A-Za-z')
  .replace(/^\^/, `^(?=.{1,${LONGEST_HOSTNAME}}\\.?$)(?!(.*\\.)?[0-9]+\\.?$)`)
  .replace(/\$$/, '\\.?$');
