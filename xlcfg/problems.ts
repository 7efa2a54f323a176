/** What the parser accepts, and xl then refuses, drops or misreads. xl's exit code does not tell of the last two. */
import { guestType, refusalOf } from './allowed-values.ts';
import type { GuestType } from './allowed-values.ts';
import { itemsOf, settingsOf, stringOf } from './document.ts';
import type { Atom, CfgDocument, Setting, Value } from './document.ts';
import { parseDiskSpec } from './disk-spec.ts';
import { printable } from './errors.ts';
import type { Position } from './errors.ts';
import { AT_LEAST_ONE, kindOf, nearestKey } from './known-keys.ts';
import { looksDecimalButIsOctal, readNumber } from './numbers.ts';
import { decode, positionsOf } from './text.ts';
import { parseVifSpec } from './vif-spec.ts';

export interface Problem extends Position {
  key: string;
  /**
   * refused: xl ends with an error · dropped: xl goes on without it · misread: xl takes it as something else ·
   * fails: xl takes it as written, and cannot make a guest of it · warning: xl takes it as written, and that is hardly meant
   */
  effect: 'refused' | 'dropped' | 'misread' | 'fails' | 'warning';
  reason: string;
}

type Report = (where: { start: number }, effect: Problem['effect'], reason: string) => void;

const MOST_PROBLEMS = 500;
/** If a file has more keys than any real cfg, no key is compared with the known ones. */
const MOST_KEYS_TO_GUESS = 500;

/** In the order of the file, the first 500. */
export function problemsOf(document: CfgDocument): Problem[] {
  const settings = settingsOf(document);
  const found: (Omit<Problem, keyof Position> & { start: number })[] = [];
  const reporterFor =
    (key: string): Report =>
    ({ start }, effect, reason) =>
      found.push({ start, key, effect, reason: printable(reason) });
  const type = typeOf(settings);
  const canGuess = settings.size <= MOST_KEYS_TO_GUESS;
  for (const setting of settings.values()) checkSetting(setting, document, { type, canGuess }, reporterFor(setting.key));
  checkTogether(settings, reporterFor);
  const position = positionsOf(document.text);
  const problems = found
    .sort((one, other) => one.start - other.start)
    .slice(0, MOST_PROBLEMS)
    .map(({ start, ...problem }): Problem => ({ ...position(start), ...problem }));
  if (!document.carriageReturn) return problems;
  const reason = 'lines end in CRLF, and xl refuses the file: convert it (dos2unix; guestflow cfg fix does it too)';
  return [{ ...document.carriageReturn, key: '', effect: 'refused', reason }, ...problems];
}

interface Context {
  type: GuestType | undefined;
  canGuess: boolean;
}

function checkSetting(setting: Setting, document: CfgDocument, { type, canGuess }: Context, report: Report): void {
  const { key, last, chain, count } = setting;
  if (count > chain.length) report(last, 'warning', `${key} is set ${count} times: this one counts`);
  const kind = kindOf(key);
  if (kind === undefined) {
    const near = canGuess ? nearestKey(key) : undefined;
    report(last, 'dropped', `xl knows no ${key}${near === undefined ? '' : `: was ${near} meant?`}`);
  } else if (last.value.kind === 'list') {
    if (kind === 'list' || kind === 'string-or-list' || kind === 'boolean-or-list') checkItems(setting, document, report);
    else report(last.value, key === 'name' || mustBeNumber(key) ? 'refused' : 'dropped', `${key} is one value to xl, not a list`);
  } else if (kind === 'list') {
    const must = key.startsWith('device_model_args') || (key === 'mca_caps' && type === 'hvm');
    report(last.value, must ? 'refused' : 'dropped', `${key} must be a list, even with one entry: ${key} = [ '…' ]`);
  } else {
    checkAtom(setting, last.value, decode(stringOf(setting) ?? '', document.encoding), type, report);
  }
}

function checkAtom({ key, last }: Setting, atom: Atom, value: string, type: GuestType | undefined, report: Report): void {
  const kind = kindOf(key);
  if (kind === 'number' || kind === 'boolean' || kind === 'boolean-or-list') checkNumber(key, last.operator, atom, value, report);
  if (kind === 'number-or-string' && looksDecimalButIsOctal(value)) report(atom, 'misread', octalReason(key, value));
  const refusal = refusalOf(key, value, type);
  if (refusal !== undefined) report(atom, 'refused', refusal);
  if ((key === 'type' || key === 'builder') && !guestType(key, value)) {
    report(atom, 'refused', `${key} "${value}": xl knows ${key === 'type' ? 'pv, pvh and hvm' : 'generic and hvm'}`);
  }
  if (key === 'uuid' && !/^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/i.test(value))
    report(atom, 'refused', `uuid "${value}" is no UUID`);
  if (key === 'name' && /^[0-9]+$/.test(value))
    report(atom, 'warning', `a name of digits only: xl takes "${value}" for the number of a guest, and would act on another`);
  if (key === 'name' && value === '') report(atom, 'warning', 'the name is empty');
}

function checkNumber(key: string, operator: '=' | '+=', atom: Atom, value: string, report: Report): void {
  const reading = readNumber(value);
  if (operator === '+=') report(atom, 'dropped', `xl does not add to numbers: ${key} += … is dropped, and with it the ${key} set before`);
  else if ('reason' in reading) report(atom, mustBeNumber(key) ? 'refused' : 'dropped', `${reading.reason}: xl goes on without any ${key}`);
  else if (looksDecimalButIsOctal(value)) report(atom, 'misread', octalReason(key, value));
  else if (reading.value < (AT_LEAST_ONE.has(key) ? 1n : 0n) && key !== 'rtc_timeoffset') {
    report(atom, reading.value < 0n && (mustBeNumber(key) || key.endsWith('vcpus')) ? 'refused' : 'warning', `${key} is ${reading.value}`);
  }
}

function mustBeNumber(key: string): boolean {
  return key.startsWith('max_grant_') || key === 'max_maptrack_frames';
}

function octalReason(key: string, value: string): string {
  const reading = readNumber(value);
  const meant = value.trim().replace(/^0+/, '');
  return `a leading zero makes the number octal: ${key} is ${'value' in reading ? reading.value : '?'} to xl; write ${meant} if that is meant`;
}

function checkItems(setting: Setting, document: CfgDocument, report: Report): void {
  if (setting.key !== 'disk' && setting.key !== 'vif') return;
  const vdevs = new Set<string>();
  for (const item of itemsOf(setting) ?? []) {
    if (item.kind === 'list') {
      report(item, 'dropped', `a list within ${setting.key}: xl stops here, and drops this entry and all after it`);
      return;
    }
    const spec = decode(item.value, document.encoding);
    if (setting.key === 'vif') for (const { effect, reason } of parseVifSpec(spec).faults) report(item, effect, reason);
    else checkDisk(spec, item, vdevs, report);
  }
}

function checkDisk(spec: string, item: Value, vdevs: Set<string>, report: Report): void {
  const { disk } = parseDiskSpec(spec);
  if (disk.error !== null) report(item, 'refused', `${disk.error}: disk "${spec}"`);
  if (disk.vdev === null) return;
  if (vdevs.has(disk.vdev)) report(item, 'warning', `a second disk is ${disk.vdev}: the guest cannot be made with both`);
  vdevs.add(disk.vdev);
}

function checkTogether(settings: Map<string, Setting>, reporterFor: (key: string) => Report): void {
  const numberOf = (key: string): bigint | undefined => {
    const setting = settings.get(key);
    const value = stringOf(setting);
    if (value === undefined || setting?.last.operator === '+=') return undefined;
    const reading = readNumber(value);
    return 'value' in reading ? reading.value : undefined;
  };
  const compare = (key: string, limitKey: string, effect: Problem['effect'], consequence: string): void => {
    const [value, limit, setting] = [numberOf(key), numberOf(limitKey), settings.get(key)];
    if (value !== undefined && limit !== undefined && setting && limit !== 0n && value > limit) {
      reporterFor(key)(setting.last.value, effect, `${key} ${value} is above ${limitKey} ${limit}: ${consequence}`);
    }
  };
  compare('vcpus', 'maxvcpus', 'refused', 'xl refuses that');
  // xl parses it, but libxl makes no domain whose target is above its maximum.
  compare('memory', 'maxmem', 'fails', 'xl makes no such guest: set both');
  checkCommandLine(settings, reporterFor);
  checkTypes(settings, reporterFor);
  checkMissing(settings, reporterFor);
}

/** Warnings only: a fragment may be meant, and `xl create FILE KEY=VALUE` can add what is missing. */
function checkMissing(settings: Map<string, Setting>, reporterFor: (key: string) => Report): void {
  const has = (key: string): boolean => stringOf(settings.get(key)) !== undefined;
  if (!has('name')) reporterFor('name')({ start: 0 }, 'warning', 'no name is set, and xl makes no guest without one');
  if (typeOf(settings) !== 'hvm' && !has('kernel') && !has('bootloader') && !has('firmware')) {
    reporterFor('kernel')({ start: 0 }, 'warning', 'neither kernel nor bootloader is set, and xl makes no pv or pvh guest without one');
  }
}

function checkCommandLine(settings: Map<string, Setting>, reporterFor: (key: string) => Report): void {
  if (stringOf(settings.get('cmdline')) === undefined) return;
  for (const key of ['root', 'extra']) {
    const setting = settings.get(key);
    if (stringOf(setting) !== undefined && setting) reporterFor(key)(setting.last, 'dropped', `cmdline is set, so xl overlooks ${key}`);
  }
}

function typeOf(settings: Map<string, Setting>): GuestType | undefined {
  const [type, builder] = [stringOf(settings.get('type')), stringOf(settings.get('builder'))];
  if (builder !== undefined) return guestType('builder', builder);
  return type === undefined ? 'pv' : guestType('type', type);
}

function checkTypes(settings: Map<string, Setting>, reporterFor: (key: string) => Report): void {
  const [type, builder] = [stringOf(settings.get('type')), stringOf(settings.get('builder'))];
  const setting = settings.get('builder');
  if (type === undefined || builder === undefined || !setting) return;
  const [asType, asBuilder] = [guestType('type', type), guestType('builder', builder)];
  if (asType && asBuilder && asType !== asBuilder) {
    reporterFor('builder')(setting.last.value, 'refused', `builder "${builder}" contradicts type "${type}"`);
  }
}
