/** Who has an address on the guests' network. */
import { whoAnswers, type Answer } from '../tools/net.ts';
import type { Work } from '../work.ts';

/** Who answers for this address on the bridge. */
export async function whoHas(
  { host, signal }: Work,
  { ip, bridge, gateway }: { ip: string; bridge: string; gateway: string },
): Promise<Answer> {
  return await whoAnswers(host, { ip, bridge, signal }, gateway);
}
