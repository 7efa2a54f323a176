/** `guestflow gateway` and `guestflow events`: what comes in from billing. */
import { Option, type Command } from 'commander';
import { SCOPES } from '../../contract/scopes.ts';
import { JSON_OPTION, repeated, withServer, type Context, type ServerOptions } from '../context.ts';

export interface GatewayCommandOptions extends Omit<ServerOptions, 'json'> {
  readonly listen: string;
  readonly stripeSecretFile?: string;
  readonly signupSecretFile?: string;
  readonly tokenFile?: string;
  readonly pageOrigin?: string;
  readonly pageKeyFile?: string;
  readonly plans?: string;
  readonly prices?: string;
  readonly pastDue?: 'run' | 'suspend';
  readonly restart: boolean;
  readonly answerWithin?: string;
}

export interface TokenOptions {
  readonly scope: readonly string[];
  readonly file: string;
  readonly customer?: string;
  readonly guest?: string;
  readonly perMinute?: string;
  readonly json?: true;
}

export interface EventsOptions extends ServerOptions {
  readonly problems?: true;
  readonly acknowledge?: true;
}

const DESCRIPTION = `Takes what billing sends, has Temporal keep it, and answers at once. It starts only with at least one secret; secrets come from files or from
systemd's credentials (stripe-secret, signup-secret, tokens). SIGHUP reads all files anew. docs/gateway.md has the rest.`;

export function registerGateway(program: Command, context: Context): void {
  const gateway = program
    .command('gateway')
    .summary('take webhooks of billing, and the REST API')
    .description(DESCRIPTION)
    .option('--listen <HOST:PORT>', 'where it listens', '127.0.0.1:8480')
    .option('--stripe-secret-file <FILE>', 'signing secrets of the Stripe endpoint, one a line')
    .option('--signup-secret-file <FILE>', 'secrets of Standard Webhooks, one a line')
    .option('--token-file <FILE>', 'tokens of /v1 (guestflow gateway token makes them)')
    .option('--page-origin <ORIGIN>', "where customers reach the customer's page, like https://panel.example.org (default: there is none)")
    .option('--page-key-file <FILE>', "secrets of the customer's page, one a line")
    .option('--plans <FILE>', 'your own plans (default: GUESTFLOW_PLANS, or the shipped plans.yaml)')
    .option('--prices <FILE>', 'which price stands for which plan (default: none, the names of plans decide)')
    .addOption(
      new Option('--past-due <WHAT>', 'a guest whose payment is late runs on, or is suspended (default: run)').choices(['run', 'suspend']),
    )
    .option('--no-restart', 'a change of plan may not restart a guest')
    .option('--answer-within <MS>', 'time that Temporal has to take an event (default: 950)')
    .option('--address <HOST:PORT>', 'where Temporal is (default: TEMPORAL_ADDRESS, temporal.toml, or the embedded server)')
    .option('--namespace <NAME>', 'namespace of Temporal (default: TEMPORAL_NAMESPACE, or "default")')
    .option('--state-dir <DIR>', 'state directory of the embedded server (default: GUESTFLOW_STATE, or .guestflow)')
    .action(
      context.action(async (options: GatewayCommandOptions) => (await import('../gateway.ts')).runGatewayCommand(context.io, options)),
    );

  gateway
    .command('token')
    .summary('make a token for /v1')
    .description('Makes a bearer token, prints it once, and adds its hash to the file of tokens.')
    .argument('<NAME>', 'who gets it: letters a-z, digits, hyphens')
    .requiredOption('--scope <SCOPE>', `${Object.keys(SCOPES).join(', ')}; may be repeated`, repeated)
    .requiredOption('--file <FILE>', 'file of tokens; made when it is not there')
    .addOption(
      new Option(
        '--customer <ID>',
        "speaks for this customer: only that customer's guests exist for it (default: it speaks for you, and is for all)",
      ).conflicts('guest'),
    )
    .option('--guest <NAME>', 'speaks for this guest alone')
    .option('--per-minute <COUNT>', 'requests a minute that a gateway process takes of it (default: 600)')
    .option(...JSON_OPTION)
    .action(
      context.action(async (name: string, options: TokenOptions) =>
        (await import('../gateway.ts')).makeTokenCommand(context.io, name, options),
      ),
    );

  withServer(
    program
      .command('events')
      .summary('orders of billing, and what went wrong')
      .description('Lists the orders that billing has spoken of; with an ORDER, its events and what is done about them.')
      .argument('[ORDER]')
      .option('--problems', 'only those that a person must know of')
      .option('--acknowledge', 'with ORDER: what was refused has been seen, and what failed is tried again at once'),
  ).action(
    context.action(async (order: string | undefined, options: EventsOptions) =>
      (await import('../events.ts')).showEvents(context.io, order, options),
    ),
  );
}
