/**
 * The addresses that a cfg names for its guest, also where xl would not read them: a guest uses its address whatever its cfg lets through, and a file
 * that xl refuses today may be that of a guest that runs. To count an address too many costs an address; to miss one costs two guests theirs.
 */
import { byteString, parseCfg, showCfg, type ShownCfg, type ShownValue } from '../../../xlcfg/index.ts';

/** What one vif of a cfg, or the rest of it, names. */
export interface NamedAddresses {
  /** Words as in `ip=`: addresses, maybe with a prefix length or a netmask. */
  readonly words: readonly string[];
  readonly mac: string | undefined;
}

/** Every `ip=` of a vif, with blanks where xl wants none, too. Of two in one vif xl takes the last. */
const IP_OF_VIF = /(?:^|[\s,'"])ip\s*=\s*([^,'"\]]*)/g;
/** The kernel's own: `ip=CLIENT:SERVER:GATEWAY:…`. */
const IP_OF_KERNEL = /(?:^|[\s'"])ip=([\d.]+)(?=[:\s]|$)/g;
/** A line of a file that is a guest's, to xl or to the older xm. */
const OF_A_GUEST = /^[ \t]*(?:name|kernel|bootloader|disk)[ \t]*=/m;
const MAC = /\bmac\s*=\s*([0-9a-f]{1,2}(?::[0-9a-f]{1,2}){5})/i;

/** The name of the domain that is made of a cfg; of a file that xl refuses, the last one that is set in it. */
export function domainNameIn(bytes: Uint8Array): string | undefined {
  try {
    const name = showCfg(parseCfg(bytes)).keys['name'];
    return typeof name === 'string' ? name : undefined;
  } catch {
    return [...byteString(bytes).matchAll(/^[ \t]*name[ \t]*=[ \t]*['"]([^'"\r\n]*)['"]/gm)].at(-1)?.[1];
  }
}

/** The addresses in a cfg of a guest; undefined if it is no guest's. */
export function namedAddresses(bytes: Uint8Array): NamedAddresses[] | undefined {
  let shown: ShownCfg;
  try {
    shown = showCfg(parseCfg(bytes));
  } catch {
    return namedInText(byteString(bytes));
  }
  return isGuest(shown) ? namedInCfg(shown) : undefined;
}

function isGuest({ keys }: ShownCfg): boolean {
  return ['name', 'kernel', 'bootloader', 'disk'].some((key) => keys[key] !== undefined);
}

function namedInCfg({ keys, vifs }: ShownCfg): NamedAddresses[] {
  const text = (key: string): string => textOf(keys[key]);
  // A vif that is no list is none to xl.
  const all = vifs.length > 0 ? vifs.map(({ raw }) => raw) : [text('vif')];
  const kernelWords = [text('extra'), text('cmdline'), text('root')].flatMap((line) => found(IP_OF_KERNEL, line));
  return [
    ...all.map((raw) => ({ words: found(IP_OF_VIF, raw), mac: macIn(raw) })),
    // `ip` was a key of xm, which put it on the kernel's command line.
    { words: [...wordsOf(text('ip')), ...kernelWords], mac: undefined },
  ].filter(({ words, mac }) => words.length > 0 || mac !== undefined);
}

/** Of a file that xl refuses, what stands on its lines, comments left out. */
function namedInText(text: string): NamedAddresses[] | undefined {
  if (!OF_A_GUEST.test(text)) return undefined;
  const lines = text.split(/[\r\n]+/).map((line) => line.replace(/(^|\s)#.*$/, ''));
  return lines.flatMap((line) => {
    const set = /^\s*ip\s*=\s*['"]([^'"]*)/.exec(line)?.[1];
    const words = [...found(IP_OF_VIF, line), ...found(IP_OF_KERNEL, line), ...wordsOf(set ?? '')];
    const mac = macIn(line);
    return words.length > 0 || mac !== undefined ? [{ words, mac }] : [];
  });
}

function found(pattern: RegExp, text: string): string[] {
  return [...text.matchAll(pattern)].flatMap(([, words = '']) => wordsOf(words));
}

function wordsOf(text: string): string[] {
  return text.split(/\s+/).filter((word) => word !== '');
}

function textOf(value: ShownValue | undefined): string {
  return typeof value === 'string' ? value : '';
}

/** xl takes bytes of one digit: `0:16:3e:1:2:3`. */
function macIn(text: string): string | undefined {
  const mac = MAC.exec(text)?.[1];
  return mac
    ?.split(':')
    .map((byte) => byte.padStart(2, '0'))
    .join(':')
    .toUpperCase();
}
