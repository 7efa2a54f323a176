/** What `guestflow dom0 lost` and `dom0 found` do. */
import { createInterface } from 'node:readline/promises';
import { GuestflowError } from '../contract/errors.ts';
import { withGuestflow, type ServerOptions } from './context.ts';
import { printJson, printLine, type Io } from './io.ts';

export async function loseDom0(io: Io, host: string, options: ServerOptions & { readonly yes?: true }): Promise<undefined> {
  if (options.yes !== true) await mustConfirm(io, host, options);
  return withGuestflow(options, async (flow) => {
    const lost = await flow.lose(host);
    if (options.json) printJson(io, lost);
    else {
      const { guests } = lost;
      printLine(io, `dom0 ${host} is lost: it takes no order, and its worker may not come back`);
      if (guests.length > 0) printLine(io, `its guests keep their names and addresses: ${guests.join(', ')}`);
      printLine(io, 'make sure that the machine stays off: what runs there has the addresses of these guests');
    }
    return undefined;
  });
}

/** @throws InvalidInput when nobody is there to ask; Cancelled unless the name is typed */
async function mustConfirm(io: Io, host: string, { json }: ServerOptions): Promise<void> {
  const mend = 'say --yes, when the machine is off and stays off';
  if (io.stdin.isTTY !== true || json === true)
    throw new GuestflowError('InvalidInput', `dom0 ${host} would be given up for good, and nobody is there to ask`, { field: 'yes', mend });
  const ask = createInterface({ input: io.stdin, output: io.stderr });
  try {
    const answer = await ask.question(
      `The machine ${host} must be off for good, or two machines get one address. Type its name to go on: `,
    );
    if (answer.trim() !== host) throw new GuestflowError('Cancelled', `that is not ${host}: nothing was done`);
  } finally {
    ask.close();
  }
}

export async function findDom0(io: Io, host: string, options: ServerOptions): Promise<undefined> {
  return withGuestflow(options, async (flow) => {
    await flow.found(host);
    if (options.json) printJson(io, { host });
    else printLine(io, `dom0 ${host} is taken again, as soon as its worker registers; then look at: guestflow dom0 audit ${host}`);
    return undefined;
  });
}
