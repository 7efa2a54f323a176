/** Public keys of OpenSSH, one line each, as they go into `authorized_keys`. */
import { isPointOf } from './nist-curves.ts';
import { isLongerThan } from './published-pattern.ts';

/** How many strings a key's blob has after its type. */
const KEY_FIELDS: Readonly<Record<string, number>> = {
  'ssh-ed25519': 1,
  'ssh-rsa': 2,
  'ecdsa-sha2-nistp256': 2,
  'ecdsa-sha2-nistp384': 2,
  'ecdsa-sha2-nistp521': 2,
  'sk-ssh-ed25519@openssh.com': 2,
  'sk-ecdsa-sha2-nistp256@openssh.com': 3,
};

/** A comment may be long; a key of the 16384 bits that OpenSSH takes at most has 2,764 characters. */
export const LONGEST_KEY_LINE = 4_096;
const FEWEST_RSA_BITS = 2_048;
/** As many as OpenSSH reads (`SSHBUF_MAX_BIGNUM`). */
const MOST_RSA_BITS = 16_384;

/**
 * How such a line looks, for what is published: what the key holds is looked at beside. Who reads a file of a key whole has the end of its line,
 * which on Windows is two characters.
 */
export const SSH_KEY_LINE = `^[ \\t]*(${Object.keys(KEY_FIELDS).join('|').replaceAll('.', '\\.')})[ \\t]+(?:[A-Za-z0-9+/]{4})+(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?([ \\t][^\\n\\r\\0]*)?[\\r\\n]*$`;

/** Type and key of a line, which sshd reads so (`sshkey_read`): blanks and tabs in front and between count as one; what follows is the comment. */
function partsOf(line: string): [type: string, base64: string] {
  const [type = '', base64 = ''] = line.replace(/^[ \t]+|[ \t\r\n]+$/g, '').split(/[ \t]+/, 2);
  return [type, base64];
}

/** A key as it is kept: type and key, one blank between, without the comment. Call it with a line that `whyNotSshKey` takes. */
export function normalSshKey(line: string): string {
  return partsOf(line).join(' ');
}

/**
 * Why a line is no public key that a guest may get, or undefined when it is one.
 *
 * Any comment is taken, and dropped where the key is kept. Options in front of the key (`command="…"`, `from="…"`) are refused: the line must be a
 * type, the key and, if any, a comment.
 */
export function whyNotSshKey(line: string): string | undefined {
  if (isLongerThan(line, LONGEST_KEY_LINE)) return `is longer than ${LONGEST_KEY_LINE} characters`;
  const [type, base64] = partsOf(line);
  const format = whyOtherFormat(line);
  if (format !== undefined) return format;
  if (/[\n\r\0]/.test(line.replace(/[\r\n]+$/, ''))) return 'must be one line';
  if (type === 'ssh-dss') return 'is a DSA key, which sshd refuses as too weak: make an ed25519 key';
  const fields = KEY_FIELDS[type];
  if (fields === undefined)
    return `must start with the key's type (one of ${Object.keys(KEY_FIELDS).join(', ')}), with no options in front`;
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(base64) || Buffer.from(base64, 'base64').toString('base64') !== base64)
    return 'is damaged: the key is not base64';
  const parts = splitBlob(Buffer.from(base64, 'base64'));
  if (parts?.[0]?.toString('latin1') !== type) return `is damaged: the key inside is not of type ${type}`;
  if (parts.length !== fields + 1) return 'is damaged: the key inside is not whole';
  return whyNotInside(type, parts.slice(1));
}

/** Why a text, or the file that it begins, holds no OpenSSH public key but a key all the same; undefined if it does not look like one. */
export function whyOtherFormat(text: string): string | undefined {
  const start = text.slice(0, LONGEST_KEY_LINE);
  if (/^[ \t]*-+ ?BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY/m.test(start))
    return 'is a private key: give the public one (the file that ends in .pub)';
  if (/^[ \t]*PuTTY-User-Key-File/m.test(start))
    return "is a private key of PuTTY: give the public one, PuTTYgen's text for pasting into authorized_keys";
  if (/^[ \t]*-+ ?BEGIN SSH2 PUBLIC KEY/m.test(start)) return 'is a public key as RFC 4716 writes it: ssh-keygen -i -f FILE converts it';
  if (/^[ \t]*-+ ?BEGIN/m.test(start)) return 'is no key of OpenSSH: of a public key in PEM, ssh-keygen -i -m PKCS8 -f FILE makes one';
  if (/^[ \t]*\S+-cert-v\d\d@openssh\.com\s/.test(start))
    return 'is a certificate: give the key that it certifies (the .pub file without -cert)';
  return undefined;
}

/** What sshd looks at when it reads the key inside: it passes over a line whose key it cannot read, and nobody could log in with it. */
function whyNotInside(type: string, [first, second]: readonly Buffer[]): string | undefined {
  if (type.includes('ed25519')) return first?.length === 32 ? undefined : 'is damaged: the key inside is not whole';
  if (type === 'ssh-rsa') return whyNotRsa(second);
  const name = /nistp[0-9]+/.exec(type)?.[0] ?? '';
  return first?.toString('latin1') === name && isPointOf(name, second)
    ? undefined
    : `is damaged: the key inside is none of the curve ${name}`;
}

/** A number of RSA is an mpint (RFC 4251, section 5): if its highest bit is set it is negative. */
function whyNotRsa(modulus: Buffer | undefined): string | undefined {
  const bits = rsaBits(modulus);
  if (((modulus?.[0] ?? 0) & 0x80) !== 0) return 'is damaged: the modulus inside is negative';
  if (bits < FEWEST_RSA_BITS) return `is too weak: RSA keys need ${FEWEST_RSA_BITS} bits or more`;
  return bits > MOST_RSA_BITS ? `has ${bits} bits, and sshd reads RSA keys of at most ${MOST_RSA_BITS}` : undefined;
}

/** The keys in a file as OpenSSH writes it: empty lines and lines with `#` in front are left out. */
export function sshKeyLines(text: string): string[] {
  return text
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'));
}

/** RFC 4253, section 6.6: a key's blob is a row of strings, each with its length in four bytes in front. */
function splitBlob(blob: Buffer): Buffer[] | undefined {
  const parts: Buffer[] = [];
  let at = 0;
  while (at < blob.length) {
    if (at + 4 > blob.length) return undefined;
    const length = blob.readUInt32BE(at);
    at += 4;
    if (length > blob.length - at) return undefined;
    parts.push(blob.subarray(at, at + length));
    at += length;
  }
  return parts;
}

/** Bits of an RSA modulus: an mpint, so its first byte is zero when the highest bit is set. */
function rsaBits(modulus: Buffer | undefined): number {
  const digits = modulus?.toString('hex').replace(/^0+/, '') ?? '';
  return digits === '' ? 0 : BigInt(`0x${digits}`).toString(2).length;
}
