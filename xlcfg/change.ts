/** A change to a cfg, as people and programs write it, and the check that it is one. */
import { ChangeError } from './errors.ts';
import { isAddress, macFault } from './vif-spec.ts';

export type SetValue = string | number | boolean | null | SetItem[];
export type SetItem = string | number | SetItem[];

export interface CfgChange {
  /** Key to value; true and false are written 1 and 0; null takes the key out. */
  set?: Record<string, SetValue>;
  /** Words (`clocksource=jiffies`, `quiet`) that the kernel command line shall have. Each replaces a word with the same `name=`. */
  extraWords?: string[];
  /** The disk with this vdev gets this target: `phy:/dev/…`, `file:/…`, `qcow2:/…` or a plain path. */
  disk?: DiskChange[];
  /** Fields of the vif at `index`, from 0. */
  vif?: VifChange[];
}

export interface DiskChange {
  vdev: string;
  to: string;
}

export interface VifChange {
  index: number;
  mac?: string;
  bridge?: string;
  /** One address, or several with blanks between. */
  ip?: string;
  model?: string;
  type?: string;
  vifname?: string;
  script?: string;
  /** null: none, so that the vif sends as fast as it can. */
  rate?: string | null;
}

export type VifFieldChange = Exclude<keyof VifChange, 'index'>;

const MAX_ENTRIES = 200;
const MAX_LENGTH = 64 * 1024;
const MAX_DEPTH = 4;

const VIF_FIELDS: Record<VifFieldChange, { pattern: RegExp; wanted: string }> = {
  mac: { pattern: /^[0-9a-f]{2}(?::[0-9a-f]{2}){5}$/i, wanted: 'six bytes, as in 00:16:3e:12:34:56' },
  bridge: {
    pattern: /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,14}(?::[0-9]{1,4})*$/,
    wanted: 'the name of a bridge, at most 15 letters, digits, dots and hyphens',
  },
  ip: { pattern: /^[0-9A-Fa-f:./]+(?: [0-9A-Fa-f:./]+)*$/, wanted: 'an IPv4 or IPv6 address, or several with blanks between' },
  model: { pattern: /^[A-Za-z0-9_-]{1,32}$/, wanted: 'a model such as e1000 or virtio-net' },
  type: { pattern: /^(?:vif|ioemu)$/, wanted: 'vif or ioemu' },
  vifname: {
    pattern: /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,14}$/,
    wanted: 'the name of an interface, at most 15 letters, digits, dots and hyphens',
  },
  script: { pattern: /^[A-Za-z0-9_./-]{1,255}$/, wanted: 'the path of a script' },
  rate: { pattern: /^[0-9]{1,9}[GMK]?[Bb]\/s(?:@[0-9]{1,9}[mu]?s?)?$/, wanted: 'a rate such as 10Mb/s or 1MB/s@20ms' },
};

/** @throws ChangeError, with the field, if a key is unknown or a value has a wrong type or form */
export function checkChange(change: unknown): CfgChange {
  const entries = entriesOf(change, '', ['set', 'extraWords', 'disk', 'vif']);
  for (const [key, value] of entries) {
    if (key === 'set') checkSet(value);
    else if (key === 'extraWords') checkWords(value);
    else if (key === 'disk') listOf(value, 'disk').forEach((entry, index) => checkDisk(entry, `disk[${index}]`));
    else listOf(value, 'vif').forEach((entry, index) => checkVif(entry, `vif[${index}]`));
  }
  const checked = change as CfgChange;
  refuseTwice(
    'disk',
    (checked.disk ?? []).map(({ vdev }) => vdev),
    'vdev',
  );
  refuseTwice(
    'vif',
    (checked.vif ?? []).map(({ index }) => String(index)),
    'index',
  );
  refuseTwice(
    'extraWords',
    (checked.extraWords ?? []).map((word) => word.replace(/(?<==).*/, '')).filter((name) => name !== 'console='),
    '',
  );
  return checked;
}

function entriesOf(value: unknown, field: string, allowed?: readonly string[]): [string, unknown][] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new ChangeError(field, 'must be an object { … }');
  const entries = Object.entries(value);
  if (entries.length > MAX_ENTRIES) throw new ChangeError(field, `has more than ${MAX_ENTRIES} entries`);
  const unknown = allowed && entries.find(([key]) => !allowed.includes(key));
  if (unknown)
    throw new ChangeError(
      field === '' ? unknown[0] : `${field}.${unknown[0]}`,
      `no such part of a change: there are ${allowed.join(', ')}`,
    );
  return entries;
}

function listOf(value: unknown, field: string): unknown[] {
  if (!Array.isArray(value)) throw new ChangeError(field, 'must be a list [ … ]');
  if (value.length > MAX_ENTRIES) throw new ChangeError(field, `has more than ${MAX_ENTRIES} entries`);
  return value;
}

function checkSet(set: unknown): void {
  for (const [key, value] of entriesOf(set, 'set')) {
    const field = `set.${key}`;
    if (!/^[a-z][._0-9a-z]{0,99}$/.test(key))
      throw new ChangeError(field, 'no name of a setting: a small letter, then small letters, digits, "_" and "."');
    if (value === null || typeof value === 'boolean') continue;
    if (Array.isArray(value)) checkList(value, field, 1);
    else checkAtom(value, field, 'a string, a number, true, false, a list, or null to remove the key');
  }
}

function checkList(list: unknown[], field: string, depth: number): void {
  if (depth > MAX_DEPTH) throw new ChangeError(field, `lists within lists, more than ${MAX_DEPTH} deep`);
  listOf(list, field).forEach((item, index) => {
    if (Array.isArray(item)) checkList(item, `${field}[${index}]`, depth + 1);
    else checkAtom(item, `${field}[${index}]`, 'a string, a number or a list');
  });
}

function checkAtom(value: unknown, field: string, wanted: string): void {
  if (typeof value === 'number') {
    if (!Number.isInteger(value)) throw new ChangeError(field, `${value}: xl knows whole numbers only`);
    if (!Number.isSafeInteger(value)) throw new ChangeError(field, `${value}: too large a number`);
  } else if (typeof value === 'string') {
    checkText(value, field);
  } else {
    throw new ChangeError(field, `must be ${wanted}`);
  }
}

function checkText(value: string, field: string): void {
  if (value.length > MAX_LENGTH) throw new ChangeError(field, `longer than ${MAX_LENGTH} characters`);
  if (/[\x00-\x08\x0a-\x1f\x7f]/.test(value))
    throw new ChangeError(field, 'has a line break or another control character: a value is one line of text');
}

function checkWords(words: unknown): void {
  listOf(words, 'extraWords').forEach((word, index) => {
    const field = `extraWords[${index}]`;
    if (typeof word !== 'string' || !/^[^=].*/.test(word))
      throw new ChangeError(field, 'must be a word such as quiet or clocksource=jiffies');
    if (!/^[!-~]{1,1024}$/.test(word) || /["'\\]/.test(word))
      throw new ChangeError(field, 'a word has no blanks, quotes, backslashes or other than ASCII characters');
    if (word === '--') throw new ChangeError(field, '"--" ends the words that are for the kernel');
  });
}

function checkDisk(entry: unknown, field: string): void {
  const disk = Object.fromEntries(entriesOf(entry, field, ['vdev', 'to']));
  for (const name of ['vdev', 'to'])
    if (typeof disk[name] !== 'string') throw new ChangeError(`${field}.${name}`, 'is missing, or is no string');
  const { vdev, to } = entry as DiskChange;
  if (!/^[A-Za-z0-9/_-]{1,64}$/.test(vdev)) throw new ChangeError(`${field}.vdev`, `"${vdev}" is no device in the guest, such as xvda2`);
  checkText(to, `${field}.to`);
  if (!/^(?:[a-z0-9]+:)*\/[^,="'\\]*[^,="'\\\s]$/.test(to) || to.length > 1024) {
    throw new ChangeError(
      `${field}.to`,
      'must be an absolute path, with phy:, file: or another prefix or none, and no comma, "=", quote or backslash in it',
    );
  }
}

function checkVif(entry: unknown, field: string): void {
  const entries = entriesOf(entry, field, ['index', ...Object.keys(VIF_FIELDS)]);
  const { index } = entry as { index?: unknown };
  if (!Number.isInteger(index) || Number(index) < 0 || typeof index !== 'number')
    throw new ChangeError(`${field}.index`, 'must be the number of a vif, from 0');
  for (const [name, value] of entries) {
    const rule = name === 'index' ? undefined : VIF_FIELDS[name as VifFieldChange];
    if (!rule || (name === 'rate' && value === null)) continue;
    if (typeof value !== 'string' || !rule.pattern.test(value)) throw new ChangeError(`${field}.${name}`, `must be ${rule.wanted}`);
    const fault = name === 'mac' ? macFault(value) : undefined;
    if (fault && fault.effect !== 'warning') throw new ChangeError(`${field}.mac`, fault.reason);
    const noAddress = name === 'ip' ? value.split(' ').find((address) => !isAddress(address)) : undefined;
    if (noAddress !== undefined) throw new ChangeError(`${field}.ip`, `"${noAddress}" is no IPv4 or IPv6 address`);
  }
}

function refuseTwice(field: string, names: string[], what: string): void {
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) throw new ChangeError(field, `names ${what === '' ? '' : `${what} `}${twice} twice`);
}
