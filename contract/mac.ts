/** MAC addresses of guests. Pure. */
import { eitherCase } from './published-pattern.ts';

/** How it is kept: upper case with colons. */
export const MAC_PATTERN = /^[0-9A-F]{2}(?::[0-9A-F]{2}){5}$/;
const EITHER = /^[0-9A-F]{2}(?:(:|-)[0-9A-F]{2})(?:\1[0-9A-F]{2}){4}$/i;

const PAIR = '[0-9A-Fa-f]{2}';

/** What is taken, as JSON Schema says it: locally administered (the second digit is 2, 6, A or E), or Xen's; not the dom0's ends of vifs. */
export const MAC_FORM = `^(?!${eitherCase('fe([:-]ff){5}')}$)(?:${[':', '-']
  .flatMap((mark) => [`[0-9A-Fa-f][26AEae](?:${mark}${PAIR}){5}`, `00${mark}16${mark}3[Ee](?:${mark}${PAIR}){3}`])
  .join('|')})$`;

/** A MAC as it is kept: upper case with colons. */
export function normalMac(text: string): string {
  return text.replaceAll('-', ':').toUpperCase();
}

/** Why no guest can have this MAC, or undefined. Colons or hyphens, not both. */
export function whyNotMac(text: string): string | undefined {
  if (!EITHER.test(text))
    return 'is no MAC address (six pairs of hexadecimal digits with colons, or all with hyphens, like 00:16:3E:12:34:56)';
  const mac = normalMac(text);
  const first = Number.parseInt(mac.slice(0, 2), 16);
  if ((first & 1) === 1) return 'is a multicast address, no network card can have it';
  // libxl gives it to the dom0's end of each vif (tools/hotplug/Linux/vif-bridge), so that the bridge never takes the MAC of one.
  if (mac === 'FE:FF:FF:FF:FF:FF') return "is that of the dom0's end of every guest's interface: no guest can have it";
  if (mac === '00:00:00:00:00:00') return 'is no address: all of it is zero';
  if ((first & 2) === 0 && !mac.startsWith('00:16:3E:'))
    return 'belongs to a manufacturer: take one that starts with 00:16:3E (Xen), or a locally administered one (02:…)';
  return undefined;
}
