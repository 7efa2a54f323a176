/**
 * Checks of what goes into a command line. The process is root and no shell is involved, but a name that starts with a dash is an
 * option, and a path with `..` leaves the directory that was meant. Each check returns its value or throws `InvalidInput`.
 */
import { isIPv4, isIPv6 } from 'node:net';
import { GuestflowError } from '../../../contract/errors.ts';
import { whyNotBridge, type Check } from '../../../contract/field-checks.ts';
import { whyNotGuestName } from '../../../contract/guest-name.ts';
import { withoutPasswords } from '../../../contract/redact.ts';

const PATH = /^(\/[A-Za-z0-9_.+@:=,-]+)+$/;
const LVM_NAME = /^[A-Za-z0-9_+.][A-Za-z0-9_+.-]{0,126}$/;
const LVM_TAG = /^[A-Za-z0-9_+.][A-Za-z0-9_+.\-/=!:#&]{0,1023}$/;

function refuse(what: string, value: string, why: string): never {
  const shown = withoutPasswords(value);
  throw new GuestflowError('InvalidInput', `${what} ${JSON.stringify(shown)} cannot be used: ${why}`, { field: what, value: shown });
}

/** A value that passes a check of orders. */
export function checkedBy(what: string, value: string, whyNot: Check): string {
  const why = whyNot(value);
  if (why !== undefined) refuse(what, value, `it ${why}`);
  return value;
}

/** An absolute path of plain characters that goes nowhere but down. */
export function checkedPath(what: string, path: string): string {
  if (!PATH.test(path)) refuse(what, path, 'it must be an absolute path of letters, digits and _ . + @ : = , -');
  if (path.split('/').some((part) => part === '.' || part === '..')) refuse(what, path, 'it must not contain . or .. as a directory');
  return path;
}

/** A path that may go through a shell unquoted, as xen-tools does it. */
export function checkedShellPath(what: string, path: string): string {
  if (!/^[A-Za-z0-9_.+/-]+$/.test(checkedPath(what, path))) refuse(what, path, 'xen-tools takes only letters, digits and _ . + - in paths');
  return path;
}

/** A name of a volume group or logical volume as LVM takes it. */
export function checkedVolume(what: string, name: string): string {
  if (!LVM_NAME.test(name) || name === '.' || name === '..') refuse(what, name, 'LVM takes letters, digits and _ + . -, not a dash first');
  return name;
}

export function checkedTag(tag: string): string {
  if (!LVM_TAG.test(tag)) refuse('tag', tag, 'LVM takes letters, digits and _ + . - / = ! : # & in tags');
  return tag;
}

export function checkedBytes(what: string, bytes: number): number {
  if (!Number.isSafeInteger(bytes) || bytes <= 0) refuse(what, String(bytes), 'it must be a whole number of bytes above 0');
  return bytes;
}

export function checkedCount(what: string, count: number): number {
  if (!Number.isSafeInteger(count) || count <= 0) refuse(what, String(count), 'it must be a whole number above 0');
  return count;
}

export function checkedGuestName(name: string): string {
  const why = whyNotGuestName(name);
  if (why !== undefined) refuse('name', name, why);
  return name;
}

/** A domain's id. Never 0, which is the dom0 itself. */
export function checkedDomainId(id: number): string {
  if (!Number.isSafeInteger(id) || id <= 0) refuse('domain id', String(id), 'ids of guests are whole numbers above 0');
  return String(id);
}

export function checkedAddress(what: string, address: string): string {
  if (!isIPv4(address)) refuse(what, address, 'it is no IPv4 address');
  return address;
}

export function checkedIpv6(what: string, address: string): string {
  // Without a zone: that would be a name of an interface.
  if (!isIPv6(address) || address.includes('%')) refuse(what, address, 'it is no IPv6 address');
  return address;
}

export function checkedInterface(what: string, name: string): string {
  return checkedBy(what, name, whyNotBridge);
}

/** Matches `value` against a pattern that says what is allowed. */
export function checkedPattern(what: string, value: string, pattern: RegExp, allowed: string): string {
  if (!pattern.test(value)) refuse(what, value, allowed);
  return value;
}
