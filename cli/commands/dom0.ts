/** `guestflow dom0 …`. */
import type { Command } from 'commander';
import type { AdoptOptions } from '../adopt.ts';
import type { AuditOptions } from '../audit.ts';
import { withServer, type Context, type ServerOptions } from '../context.ts';
import type { RenewOptions } from '../renew.ts';
import { withPrepare } from '../prepare-flags.ts';
import type { SshPrepareFlags } from '../prepare-command.ts';

const DRAIN = 'Takes no new guests on a dom0; those that it has stay.';

function withPrepareFlags(command: Command): Command {
  return withPrepare(
    command
      .option('--ssh <USER@HOST>', 'a host that is no dom0 yet: log in there as root')
      .option('--ssh-config <FILE>', "with --ssh: ssh's configuration file"),
  );
}

function registerAdopt(dom0: Command, context: Context): void {
  const { io } = context;
  withServer(
    dom0
      .command('adopt')
      .summary('take guests over that Temporal does not know')
      .description(
        'Takes guests over that are whole on a dom0 and have no workflow, after the database of Temporal was lost: each gets its place in the ledger, its address, its nights, and its last backups. What was ordered is read from the record of its last backup. Nothing on the dom0 is changed.',
      )
      .argument('<HOST>')
      .argument('[NAME...]', 'those guests')
      .option('--all', 'all that nobody claims'),
  ).action(
    context.action(async (host: string, names: string[], options: AdoptOptions) =>
      (await import('../adopt.ts')).adoptGuests(io, host, names, options),
    ),
  );
}

/** Adds a subcommand that is about one dom0. */
type AddVerb = (name: string, summary: string, description: string) => Command;

function registerLoss(verb: AddVerb, context: Context): void {
  const { io } = context;
  verb(
    'lost',
    'say that a dom0 is gone for good',
    'Declares a dom0 lost, for good: its ledger takes no order, operations on its guests are refused, what was being done there is ended, and its worker may not come back. Its guests are `lost`; their names and addresses stay theirs until they are restored elsewhere or terminated. It is refused while its worker asks for work. Make sure first that the machine is off and stays off: guestflow cannot switch its guests off.',
  )
    .option('--yes', 'do not ask')
    .action(
      context.action(async (host: string, options: ServerOptions & { readonly yes?: true }) =>
        (await import('../lost-dom0.ts')).loseDom0(io, host, options),
      ),
    );
  verb(
    'found',
    'say that a lost dom0 is there again',
    'Takes the word back that a dom0 is lost: its worker may register again, and its guests are what they were. Those that were restored elsewhere stay there: `guestflow dom0 audit` shows what is left of them here. Switch that off first, by xl and in /etc/xen/auto: it has their addresses.',
  ).action(context.action(async (host: string, options: ServerOptions) => (await import('../lost-dom0.ts')).findDom0(io, host, options)));
}

export function registerDom0(program: Command, context: Context): void {
  const { io } = context;
  const dom0 = program.command('dom0').summary('the dom0s: what they have, lack and promise').helpCommand(false);
  const verb: AddVerb = (name, summary, description) =>
    withServer(dom0.command(name).summary(summary).description(description).argument('<HOST>'));

  withServer(
    dom0
      .command('list')
      .summary('the dom0s, and what each has to sell')
      .description(
        'The dom0s that have registered: what is left of the memory, vcpus and disk that their policies let be sold, and what guests made by hand take.',
      ),
  ).action(context.action(async (options: ServerOptions) => (await import('../dom0.ts')).listDom0s(io, options)));
  verb(
    'check',
    'what a dom0 lacks',
    'Looks for every row of what a dom0 needs, and names the command that mends each that is missing. Changes nothing.',
  ).action(
    context.action(async (host: string, options: ServerOptions) => (await import('../dom0.ts')).checkDom0(io, host, 'preflight', options)),
  );
  withPrepareFlags(
    withServer(
      dom0
        .command('prepare')
        .summary('take a bare Debian to a dom0, or put right what is safe to')
        .description(
          'With --ssh: takes a bare Debian to a dom0 (packages, GRUB, xl.conf, directories and, as told, volume group and bridge), shows the plan first, and undoes all when a step fails. With HOST, a dom0 that has registered: its worker puts right what is safe to, then checks again.',
        )
        .argument('[HOST]'),
    ),
  ).action(
    context.action(async (host: string | undefined, options: ServerOptions & SshPrepareFlags) =>
      (await import('../prepare-command.ts')).prepareCommand(io, host, options),
    ),
  );
  verb(
    'facts',
    'what a dom0 has',
    'Memory, volume group, network, addresses and domains of a dom0, as its own tools say. With --json, for provision --check --facts.',
  ).action(context.action(async (host: string, options: ServerOptions) => (await import('../dom0.ts')).showFacts(io, host, options)));
  verb('show', "a dom0's ledger", 'What a dom0 has promised to whom, and what its worker said last.').action(
    context.action(async (host: string, options: ServerOptions) => (await import('../dom0.ts')).showLedger(io, host, options)),
  );
  verb(
    'audit',
    'what carries our mark, and whose it is',
    "Lists everything on a dom0 that carries guestflow's mark or is half made by it, by guest and order, and what no guest on this dom0 claims (orphans). Then compares the ledger with it, which happens every quarter of an hour anyway. Exit code 4 when there are orphans.",
  )
    .option('--clean', 'remove the orphans, after showing them (with --json: on standard error)')
    .option('--yes', 'with --clean: do not ask')
    .action(context.action(async (host: string, options: AuditOptions) => (await import('../audit.ts')).auditDom0(io, host, options)));
  verb(
    'renew',
    'make golden images anew',
    'Makes the golden tarballs and root file systems of a dom0 anew, with the security updates that came since, whatever their age. Each new root file system is started once, without a network: if it shows no login, what is there stays in use. Orders go first: a step gives way to one, and begins again. What is due is renewed each day by itself. Exit code 1 when one could not be renewed.',
  )
    .option('--dist <DIST>', 'only of this distribution')
    .option('--back', 'with --dist: make nothing, but bring the one before the last renewal back')
    .action(context.action(async (host: string, options: RenewOptions) => (await import('../renew.ts')).renewGolden(io, host, options)));
  registerAdopt(dom0, context);
  registerLoss(verb, context);
  verb('drain', 'take no new guests', DRAIN)
    .option('--off', 'take them again')
    .action(
      context.action(async (host: string, options: ServerOptions & { readonly off?: true }) =>
        (await import('../dom0.ts')).drainDom0(io, host, options),
      ),
    );
}
