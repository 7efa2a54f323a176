/** Commands that show guests. */
import type { Command } from 'commander';
import type { GuestInventory } from '../../contract/dom0.ts';
import { withGuestflow, withServer, type Context, type ServerOptions } from '../context.ts';
import { defined } from '../../contract/defined.ts';

interface ListOptions extends ServerOptions {
  readonly phase?: string;
  readonly dom0?: string;
  readonly all?: true;
}

interface ConsoleOptions extends ServerOptions {
  readonly lines: string;
}

export function registerGuests(program: Command, context: Context): void {
  registerList(program, context);
  registerShow(program, context);
  registerConsole(program, context);
  registerUsage(program, context);
}

function registerList(program: Command, context: Context): void {
  const { io } = context;
  withServer(
    program
      .command('list')
      .summary('list the guests')
      .description("Lists the guests, from Temporal's search attributes: a change may take a second to show.")
      .option('--phase <PHASE>', 'only those in this phase')
      .option('--dom0 <HOST>', 'only those on this dom0')
      .option('--all', 'those that are gone, too'),
  ).action(
    context.action(async (options: ListOptions) => {
      const { printJson, printLine, printTable } = await import('../io.ts');
      const rows = await withGuestflow(options, (flow) => flow.list(options));
      if (options.json) printJson(io, rows);
      else if (rows.length === 0) printLine(io, 'no guests');
      else
        printTable(
          io,
          ['NAME', 'PHASE', 'DOM0', 'PLAN', 'ORDER', 'ORDERED'],
          rows.map((row) => [row.name, row.phase, row.dom0, row.plan, row.order, row.orderedAt]),
        );
      return undefined;
    }),
  );
}

function registerShow(program: Command, context: Context): void {
  const { io } = context;
  withServer(program.command('show').summary('all that is known of a guest').argument('<NAME>')).action(
    context.action(async (name: string, options: ServerOptions) => {
      const [{ printGuest }, { printJson }, { statusDocument }] = await Promise.all([
        import('../show-guest.ts'),
        import('../io.ts'),
        import('../side-by-side.ts'),
      ]);
      return withGuestflow(options, async (flow) => {
        const { status, operation, activities } = await flow.progress(name);
        const whole = operation === undefined ? status : { ...status, steps: operation.steps };
        const url = flow.guestUrl(name);
        if (options.json) printJson(io, { ...statusDocument(whole), ...defined({ url }) });
        else printGuest(io, whole, url, { activities, ...defined({ operation }) });
        return undefined;
      });
    }),
  );
}

function registerConsole(program: Command, context: Context): void {
  const { io } = context;
  withServer(
    program.command('console').summary("the end of a guest's console").argument('<NAME>').option('--lines <N>', 'how many lines', '100'),
  ).action(
    context.action(async (name: string, options: ConsoleOptions) => {
      const { printJson } = await import('../io.ts');
      const { printableConsole } = await import('../../contract/printable.ts');
      const lines = await wholeNumber('lines', options.lines, 10_000);
      return withGuestflow(options, async (flow) => {
        const { dom0, order } = await flow.status(name);
        const inventory = await flow.dom0Task<GuestInventory>(dom0, 'inspect', { guest: { name, order, dom0 }, lines });
        const raw = inventory.console ?? '';
        const text = io.stdout.isTTY === true ? printableConsole(raw) : raw;
        if (options.json) printJson(io, { guest: name, console: raw });
        else io.stdout.write(text === '' || text.endsWith('\n') ? text : `${text}\n`);
        return undefined;
      });
    }),
  );
}

function registerUsage(program: Command, context: Context): void {
  withServer(
    program
      .command('usage')
      .summary("a guest's traffic by month, and what it has now")
      .description('Asks the dom0 of the guest, which counts its traffic each minute. Months are those of UTC.')
      .argument('<NAME>'),
  ).action(
    context.action(async (name: string, options: ServerOptions) => {
      const { showUsage } = await import('../usage.ts');
      return showUsage(context.io, name, options);
    }),
  );
}

/** A flag that must be a whole number from 1 up. */
async function wholeNumber(flag: string, text: string, most: number): Promise<number> {
  if (/^\d{1,9}$/.test(text) && Number(text) >= 1 && Number(text) <= most) return Number(text);
  const { GuestflowError } = await import('../../contract/errors.ts');
  throw new GuestflowError('InvalidInput', `--${flag} "${text}" must be a whole number from 1 to ${most}`, {
    field: flag,
    value: text,
  });
}
