/** The dom0's side of the guests' network. */
import { checkedAddress, checkedInterface } from './arguments.ts';
import type { Host } from '../../../system/host.ts';

/** Where an address is asked for. */
export interface Probe {
  readonly ip: string;
  readonly bridge: string;
  readonly signal?: AbortSignal;
}

/** Who answers for an address. `router`: the gateway does, in the place of everybody (proxy ARP, private VLAN): no machine has it for that. */
export type Answer = 'nobody' | 'router' | { readonly mac: string };

/**
 * The MAC of whoever has this address on the bridge's network; undefined when nobody says so.
 *
 * By duplicate address detection (RFC 5227): it asks from 0.0.0.0, so the bridge needs no address of dom0, and a Linux router with proxy_arp keeps
 * quiet. arping turns its exit code round for it: 0 is nobody, 1 is somebody.
 */
async function macAt(host: Host, { ip, bridge, signal }: Probe): Promise<string | undefined> {
  const args = ['-D', '-c', '2', '-w', '3', '-I', checkedInterface('bridge', bridge), checkedAddress('ip', ip)];
  const { code, stdout } = await host.run('arping', args, {
    okCodes: [0, 1],
    timeoutMs: 15_000,
    ...(signal === undefined ? {} : { signal }),
  });
  if (code === 0) return undefined;
  return /^\w+ reply from \S+ \[([0-9A-Fa-f:]{17})\]/m.exec(stdout)?.[1]?.toUpperCase() ?? '';
}

/** Who answers for this address. Other routers than Linux answer such a question for everybody, too: theirs is told by the gateway's MAC. */
export async function whoAnswers(host: Host, probe: Probe, gateway: string): Promise<Answer> {
  const mac = await macAt(host, probe);
  if (mac === undefined) return 'nobody';
  if (probe.ip === gateway || mac === '') return { mac };
  return (await macAt(host, { ...probe, ip: gateway })) === mac ? 'router' : { mac };
}

export async function hasBridge(host: Host, bridge: string): Promise<boolean> {
  return (await host.files.info(`/sys/class/net/${checkedInterface('bridge', bridge)}/bridge`)) !== undefined;
}
