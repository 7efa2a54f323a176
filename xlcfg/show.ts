import { itemsOf, settingsOf, stringOf } from './document.ts';
import type { CfgDocument, Setting, Value } from './document.ts';
import { parseDiskSpec } from './disk-spec.ts';
import type { DiskSpec } from './disk-spec.ts';
import { kindOf } from './known-keys.ts';
import { jsonNumber, readNumber } from './numbers.ts';
import { problemsOf } from './problems.ts';
import type { Problem } from './problems.ts';
import { decode } from './text.ts';
import { parseVifSpec } from './vif-spec.ts';
import type { VifSpec } from './vif-spec.ts';

export type ShownValue = string | number | ShownValue[];

export interface ShownCfg {
  /**
   * Every key with the value that counts: the last of duplicates, all that `+=` added. If xl expects a number and finds
   * one (octal and hexadecimal, too), it is a number. What xl drops is the text as written, and has a problem.
   */
  keys: Record<string, ShownValue>;
  disks: (DiskSpec & { raw: string })[];
  vifs: (VifSpec & { raw: string })[];
  problems: Problem[];
}

/** A cfg as xl understands it. Values are decoded as UTF-8, or as Latin-1 where the file is not UTF-8. */
export function showCfg(document: CfgDocument): ShownCfg {
  const settings = settingsOf(document);
  const keys = Object.create(null) as Record<string, ShownValue>;
  for (const setting of settings.values()) keys[setting.key] = shown(setting, document);
  return {
    keys,
    disks: specsOf(settings.get('disk'), document).map((raw) => ({ ...parseDiskSpec(raw).disk, raw })),
    vifs: specsOf(settings.get('vif'), document).map((raw) => ({ ...parseVifSpec(raw), raw })),
    problems: problemsOf(document),
  };
}

function shown(setting: Setting, document: CfgDocument): ShownValue {
  const items = itemsOf(setting);
  if (items) return items.map((item) => shownItem(item, document));
  const text = decode(stringOf(setting) ?? '', document.encoding);
  const reading = readNumber(text);
  if (!('value' in reading)) return text;
  return isNumberToXl(setting) ? jsonNumber(reading.value) : text;
}

/** The value of a key that xl does not know: a number if it is written as one. */
function isNumberToXl({ key, last, chain }: Setting): boolean {
  const kind = kindOf(key);
  if (last.operator === '+=' && chain.length > 1) return false;
  if (kind === undefined) return last.value.kind === 'atom' && last.value.quote === undefined;
  return kind === 'number' || kind === 'boolean' || kind === 'number-or-string' || kind === 'boolean-or-list';
}

function shownItem(item: Value, document: CfgDocument): ShownValue {
  return item.kind === 'atom' ? decode(item.value, document.encoding) : item.items.map((inner) => shownItem(inner, document));
}

/** Up to the first entry that is no string, as xl reads them. */
function specsOf(setting: Setting | undefined, document: CfgDocument): string[] {
  const specs: string[] = [];
  for (const item of itemsOf(setting) ?? []) {
    if (item.kind !== 'atom') break;
    specs.push(decode(item.value, document.encoding));
  }
  return specs;
}
