/** MAC and IPv6 addresses that follow from a guest's name and its IPv4 address: pure. */

/** Makes a MAC in the lower half of Xen's range 00:16:3E from a name: the same name gives the same MAC. There are 2²³; the network gives none twice. */
export function macFrom(name: string): string {
  // FNV-1a, mixed once more: workflow code has no crypto, and this needs to be spread, not secret.
  let hash = 0x811c9dc5;
  for (let index = 0; index < name.length; index += 1) hash = Math.imul(hash ^ name.charCodeAt(index), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
  const octets = [(hash >>> 16) & 0x7f, (hash >>> 8) & 0xff, hash & 0xff];
  return ['00', '16', '3E', ...octets.map((octet) => octet.toString(16).padStart(2, '0').toUpperCase())].join(':');
}

/** The eight words of an IPv6 address, `::` written out; undefined if the text is not one. An IPv4 address at its end is not taken. */
function wordsOf(text: string): string[] | undefined {
  if ((text.match(/::/g) ?? []).length > 1) return undefined;
  const [front = '', back] = text.split('::');
  const words = (part: string): string[] => (part === '' ? [] : part.split(':'));
  const [before, after] = [words(front), words(back ?? '')];
  const zeros = back === undefined ? 0 : 8 - before.length - after.length;
  if (back !== undefined && zeros < 1) return undefined;
  const all = [...before, ...Array.from({ length: zeros }, () => '0'), ...after];
  return all.length === 8 && all.every((word) => /^[0-9a-f]{1,4}$/i.test(word)) ? all : undefined;
}

/** Whether it is an IPv6 address, and nothing else. */
export function isIpv6(text: string): boolean {
  return wordsOf(text) !== undefined;
}

/** The first four words of a /64; undefined if the text is not one. */
function networkWords(prefix: string): string[] | undefined {
  const all = wordsOf(/^([0-9a-f:]+)\/64$/i.exec(prefix)?.[1] ?? '');
  return all?.slice(4).every((word) => Number.parseInt(word, 16) === 0) === true ? all.slice(0, 4) : undefined;
}

/** The address in a /64 for an IPv4 address: its four numbers become the last four words. `2001:db8::/64`, `192.0.2.10` → `2001:db8:0:0:192:0:2:10`. */
export function ip6Of(prefix: string, ip: string): string | undefined {
  const network = networkWords(prefix);
  return network === undefined ? undefined : [...network, ...ip.split('.')].join(':');
}

/** The first address of a /64: the usual gateway. `ip6Of` never gives it. */
export function firstOf64(prefix: string): string {
  return `${(networkWords(prefix) ?? []).join(':')}::1`;
}
