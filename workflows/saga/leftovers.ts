/** What is left of a guest when an undo could not finish. */
import type { OrderRef } from '../../contract/guest.ts';
import { control, type Dom0Steps } from './proxies.ts';

/** On its dom0, and in Temporal: the Schedule of its backups. */
export async function leftoversOf(undo: Dom0Steps['undo'], of: OrderRef): Promise<string[]> {
  const onDom0 = await undo.leftoversOf(of);
  return [...onDom0, ...(await control.schedulesLeft(of))];
}
