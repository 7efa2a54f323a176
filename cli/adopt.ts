/** What `guestflow dom0 adopt` does: takes guests over that are on a dom0, and that Temporal does not know. */
import type { Guestflow } from '../client/index.ts';
import { GuestflowError } from '../contract/errors.ts';
import { EXIT } from '../contract/exit-codes.ts';
import { GOLDEN, UNKNOWN_ORDER, type AuditRow } from '../contract/dom0.ts';
import { withGuestflow, type ServerOptions } from './context.ts';
import { printJson, printTable, type Io } from './io.ts';

export interface AdoptOptions extends ServerOptions {
  readonly all?: true;
}

interface Outcome {
  readonly guest: string;
  readonly order: string;
  /** Its phase, or why it was not adopted. */
  readonly outcome: string;
  readonly warnings: readonly string[];
  readonly isAdopted: boolean;
}

/** Exit code 1 when one of them could not be adopted. */
export async function adoptGuests(io: Io, host: string, names: readonly string[], options: AdoptOptions): Promise<number> {
  if (names.length > 0 === (options.all === true))
    throw new GuestflowError('InvalidInput', 'name the guests to adopt, or say --all', { field: 'NAME' });
  return withGuestflow(options, async (flow) => {
    const rows = await flow.dom0Task<AuditRow[]>(host, 'audit');
    const outcomes: Outcome[] = [];
    for (const { guest, order } of wanted(host, rows, names)) {
      if (!options.json && io.stderr.isTTY) io.stderr.write(`adopting ${guest}\n`);
      outcomes.push(await adopt(flow, { guest, order, host }));
    }
    if (options.json) printJson(io, { host, guests: outcomes });
    else
      printTable(
        io,
        ['GUEST', 'ORDER', 'NOW', 'REMARK'],
        outcomes.map(({ guest, order, outcome, warnings, isAdopted }) => [
          guest,
          order,
          isAdopted ? outcome : 'not adopted',
          isAdopted ? warnings.join('; ') : outcome,
        ]),
      );
    return outcomes.every(({ isAdopted }) => isAdopted) ? EXIT.done : EXIT.failed;
  });
}

/** @throws GuestflowError NotFound when one that was named is not there, Busy when it is claimed */
function wanted(host: string, rows: readonly AuditRow[], names: readonly string[]): readonly AuditRow[] {
  const ours = rows.filter(({ guest, order }) => !guest.startsWith(GOLDEN) && order !== UNKNOWN_ORDER);
  for (const name of names) {
    const found = ours.filter(({ guest }) => guest === name);
    if (found.length === 0)
      throw new GuestflowError('NotFound', `nothing on dom0 ${host} is of a guest ${name}`, {
        field: 'NAME',
        value: name,
        mend: `guestflow dom0 audit ${host}`,
      });
    if (found.every(({ claimed }) => claimed))
      throw new GuestflowError('Busy', `${name} has its workflow: it is ${found[0]?.reason ?? ''}`, { field: 'NAME', value: name });
  }
  return ours.filter(({ guest, claimed }) => !claimed && (names.length === 0 || names.includes(guest)));
}

async function adopt(flow: Guestflow, { guest, order, host }: { guest: string; order: string; host: string }): Promise<Outcome> {
  try {
    await flow.adopt({ name: guest, order, dom0: host });
    const status = await flow.waitForOrder(guest);
    const failure = await flow.failureOf(status);
    if (failure !== undefined) throw failure;
    return { guest, order, outcome: status.phase, warnings: status.warnings, isAdopted: true };
  } catch (error) {
    if (!(error instanceof GuestflowError) || error.type === 'Unreachable') throw error;
    return { guest, order, outcome: `${error.type}: ${error.message}`, warnings: [], isAdopted: false };
  }
}
