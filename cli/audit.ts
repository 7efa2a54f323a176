/** What `guestflow dom0 audit` does: all that carries guestflow's mark on a dom0, whose it is, and what nobody claims. */
import { createInterface } from 'node:readline/promises';
import type { LedgerAudit } from '../contract/capacity.ts';
import { GuestflowError } from '../contract/errors.ts';
import { EXIT } from '../contract/exit-codes.ts';
import { GOLDEN, UNKNOWN_ORDER, type AuditRow } from '../contract/dom0.ts';
import { withGuestflow, type ServerOptions } from './context.ts';
import { printJson, printLine, type Io } from './io.ts';

export interface AuditOptions extends ServerOptions {
  readonly clean?: true;
  readonly yes?: true;
}

/** Exit code 4 when orphans are there and stay: a script may go by it. */
export async function auditDom0(io: Io, host: string, options: AuditOptions): Promise<number> {
  return withGuestflow(options, async (flow) => {
    const rows = await flow.dom0Task<AuditRow[]>(host, 'audit');
    const orphans = rows.filter(({ claimed }) => !claimed);
    const ledger = await flow.auditLedger(host);
    if (!options.json) {
      describe(io, host, rows);
      describeLedger(io, ledger);
    }
    if (options.clean !== true || orphans.length === 0) {
      if (options.json) printJson(io, { host, rows, ledger });
      return orphans.length === 0 ? EXIT.done : EXIT.needsCleanup;
    }
    await mustAgree(io, options, orphans.length);
    // The one document comes when all is over; what is removed is shown before, on a line of its own.
    if (options.json) io.stderr.write(`${JSON.stringify({ host, orphans })}\n`);
    const cleaned = await flow.dom0Task<{ guest: string; order: string; outcome: string }[]>(host, 'clean', {
      orphans: orphans.map(({ guest, order }) => ({ guest, order })),
    });
    if (options.json) printJson(io, { host, rows, ledger, cleaned });
    else for (const orphan of cleaned) printLine(io, `${nameOf(orphan)}: ${orphan.outcome}`);
    return cleaned.every(({ outcome }) => outcome === 'removed') ? EXIT.done : EXIT.needsCleanup;
  });
}

/** Whose it is: a guest of an order; or what is half made for every guest of a distribution. */
function nameOf({ guest, order }: Pick<AuditRow, 'guest' | 'order'>): string {
  if (guest.startsWith(GOLDEN)) return guest;
  return `${guest} (order ${order === UNKNOWN_ORDER ? 'unknown' : order})`;
}

function describe(io: Io, host: string, rows: readonly AuditRow[]): void {
  if (rows.length === 0) printLine(io, `nothing on dom0 ${host} carries guestflow's mark`);
  for (const { claimed, reason, things, ...owner } of rows) {
    printLine(io, `${claimed ? 'claimed' : 'ORPHAN '}  ${nameOf(owner)}: ${reason}`);
    for (const thing of things) printLine(io, `           ${thing}`);
  }
  // After Temporal's database was lost, every guest looks like this.
  if (rows.some(({ claimed, things }) => !claimed && things.some((thing) => thing.startsWith('domain '))))
    printLine(io, `a domain runs that nobody claims: guestflow dom0 adopt ${host} takes guests over that Temporal has forgotten`);
}

/** What became of the ledger, when there is something to say. */
function describeLedger(io: Io, { problem, freed, adopted, byHand }: LedgerAudit): void {
  if (problem !== undefined) printLine(io, `the ledger is as before: ${problem}`);
  for (const guest of freed) printLine(io, `freed    what was reserved for ${guest}: nobody came for it`);
  for (const guest of adopted) printLine(io, `adopted  ${guest}: it is there, and was not in the ledger`);
  for (const what of byHand) printLine(io, `by hand  ${what}: counts as used, and is left alone`);
}

/** What is removed was shown before; a person says yes to that, a script says --yes. */
async function mustAgree(io: Io, options: AuditOptions, count: number): Promise<void> {
  if (options.yes === true) return;
  const mend = 'say --yes to remove the orphans without being asked';
  if (io.stdin.isTTY !== true || options.json === true)
    throw new GuestflowError('InvalidInput', `--clean removes ${count} orphan(s), and nobody is there to ask`, {
      field: 'yes',
      mend,
    });
  const readline = createInterface({ input: io.stdin, output: io.stderr });
  try {
    const answer = await readline.question(`Remove everything of the ${count} orphan(s) above? Their data is gone then. [y/N] `);
    if (!/^y(es)?$/i.test(answer.trim())) throw new GuestflowError('Cancelled', 'nothing was removed');
  } finally {
    readline.close();
  }
}
