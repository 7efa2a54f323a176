/** Root's line in `/etc/shadow` (shadow(5)). Pure. No other byte of the file changes: texts are bytes, as latin1. */

/** Fields of a line: name, password, day of its last change, least and most age, warning, inactivity, expiry, reserved. */
const FIELDS = 9;
const ROOT_LINE = /^root:[^\n]*$/m;
const REST_OF_NEW = '0:99999:7:::';

/** The first line of root, which is the one that counts; undefined: there is none. */
export function rootLine(shadow: Buffer): string | undefined {
  return ROOT_LINE.exec(shadow.toString('latin1'))?.[0];
}

/**
 * The file with another password of root. A locked root can log in then. If there is no line of root, one becomes the first line.
 *
 * @param hash as crypt(5) writes it
 * @param day of the change, in days since 1970. Default: what the line says; of a new line none, so that its age does not count
 */
export function withRootPassword(shadow: Buffer, hash: string, day?: number): Buffer {
  const text = shadow.toString('latin1');
  const former = rootLine(shadow);
  const next =
    former === undefined ? `root:${hash}:${day ?? ''}:${REST_OF_NEW}\n${text}` : text.replace(ROOT_LINE, () => lineWith(former, hash, day));
  return Buffer.from(next, 'latin1');
}

/** The rest of the line stays, but of one that is not whole. */
function lineWith(line: string, hash: string, day: number | undefined): string {
  const fields = line.split(':');
  if (fields.length === FIELDS) return ['root', hash, day ?? fields[2], ...fields.slice(3)].join(':');
  return `root:${hash}:${day ?? ''}:${REST_OF_NEW}${line.endsWith('\r') ? '\r' : ''}`;
}

/** The day of a time (milliseconds), as the file has it. */
export function dayOf(ms: number): number {
  return Math.floor(ms / 86_400_000);
}
