/** A guest's own name in its files, as its first image has it. Pure. */
import type { GuestSpec } from '../../../contract/guest.ts';

type Named = Pick<GuestSpec, 'name' | 'hostname' | 'network'>;

/** The first label of its host name, which is all that the kernel is told. */
export function shortName({ name, hostname = name }: Pick<GuestSpec, 'name' | 'hostname'>): string {
  return hostname.split('.')[0] ?? hostname;
}

/**
 * `/etc/hosts`: the lines that its tenant has added stay; where those of the former addresses were, its own are.
 *
 * @param hosts undefined: there is no such file
 * @param former addresses that it had
 */
export function hostsOf(spec: Named, hosts: string | undefined, former: readonly (string | undefined)[]): string {
  const { hostname = spec.name, network } = spec;
  const names = [...new Set([hostname, shortName(spec)])].join(' ');
  const own = [network.ip, network.ipv6?.address].filter((address) => address !== undefined).map((address) => `${address}\t${names}`);
  const isFormer = (line: string): boolean => [...former, '127.0.1.1'].includes(line.trim().split(/\s+/)[0] ?? '');
  const lines = (hosts ?? '127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n').trimEnd().split('\n');
  const first = lines.findIndex(isFormer);
  const [before, after] = first === -1 ? [lines, []] : [lines.slice(0, first), lines.slice(first).filter((line) => !isFormer(line))];
  return `${[...before, ...own, ...after].join('\n')}\n`;
}
