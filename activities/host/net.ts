/** The dom0's side of the guests' network. */
import { checkedAddress, checkedInterface } from './arguments.ts';
import type { Host } from './host.ts';

/** Whether some machine on the bridge's network answers for this address. */
export async function addressAnswers(
  host: Host,
  where: { readonly ip: string; readonly bridge: string; readonly signal?: AbortSignal },
): Promise<boolean> {
  const bridge = checkedInterface('bridge', where.bridge);
  const result = await host.run('arping', ['-q', '-c', '2', '-w', '3', '-I', bridge, checkedAddress('ip', where.ip)], {
    okCodes: [0, 1],
    timeoutMs: 15_000,
    ...(where.signal === undefined ? {} : { signal: where.signal }),
  });
  return result.code === 0;
}

export async function hasBridge(host: Host, bridge: string): Promise<boolean> {
  return (await host.files.info(`/sys/class/net/${checkedInterface('bridge', bridge)}/bridge`)) !== undefined;
}
