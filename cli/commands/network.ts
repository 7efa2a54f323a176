/** `guestflow network …`. */
import type { Command } from 'commander';
import { repeated, withServer, type Context, type ServerOptions } from '../context.ts';
import type { AddOptions } from '../network.ts';

const ADD =
  "Adds a network beside those of the dom0s' own settings, or changes one: what is not given is as by default. The dom0s that are named reach it from now on.";

export function registerNetwork(program: Command, context: Context): void {
  const { io } = context;
  const network = program.command('network').summary('the networks: who has which address').helpCommand(false);
  withServer(network.command('list').summary('the networks')).action(
    context.action(async (options: ServerOptions) => (await import('../network.ts')).listNetworks(io, options)),
  );
  withServer(network.command('show').summary('who has which address').argument('<CIDR>')).action(
    context.action(async (cidr: string, options: ServerOptions) => (await import('../network.ts')).showNetwork(io, cidr, options)),
  );
  withServer(
    network
      .command('add')
      .summary('add or change a network')
      .description(ADD)
      .argument('<CIDR>')
      .requiredOption('--gateway <IP>', 'its gateway')
      .option('--dom0 <HOST:BRIDGE>', 'a dom0 that reaches it, and by which bridge; may be given again', repeated, [])
      .option('--range <RANGE>', 'where addresses are leased from: A-B or a network; may be given again (default: all of it)', repeated, [])
      .option('--exclude <RANGE>', 'addresses that are never leased; may be given again', repeated, [])
      .option('--quarantine <MINUTES>', "for how long an address that came back is nobody's", '15')
      .option('--ipv6 <PREFIX>', 'a /64 beside it, like 2001:db8:0:1::/64')
      .option('--ipv6-gateway <IP>', 'its gateway (default: its first address)'),
  ).action(context.action(async (cidr: string, options: AddOptions) => (await import('../network.ts')).addNetwork(io, cidr, options)));
}
