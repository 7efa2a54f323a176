/** What is left of a guest when an undo could not finish. */
import { patched } from '@temporalio/workflow';
import type { OrderRef } from '../contract/types.ts';
import { control, type Dom0Steps } from './proxies.ts';

/** Marks histories in which the list names the Schedule, too. */
const NAMES_SCHEDULE = 'leftovers-name-the-schedule';

/** On its dom0, and in Temporal: the Schedule of its backups. */
export async function leftoversOf(undo: Dom0Steps['undo'], of: OrderRef): Promise<string[]> {
  const onDom0 = await undo.leftoversOf(of);
  return patched(NAMES_SCHEDULE) ? [...onDom0, ...(await control.schedulesLeft(of))] : onDom0;
}
