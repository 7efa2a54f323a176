/** spendTicket: one workflow for each sign-in ticket that was used. Its id is the ticket's: there can be only one. It has nothing to do. */
import { declareVersioning } from '../saga/versioning.ts';

export async function spendTicket(): Promise<void> {
  return Promise.resolve();
}

declareVersioning('PINNED', spendTicket);
