/** `guestflow provision`. */
import type { Command } from 'commander';
import { repeated, withWaiting, type Context, type WaitingOptions } from '../context.ts';
import { FIELDS, type FieldTable } from '../../contract/fields.ts';
import { flagsOf } from '../field-flags.ts';
import type { OrderFlags } from '../order-input.ts';

/** How an order is given: with `wait`, the command ends when its guest is there. */
export interface PlacingOptions extends WaitingOptions {
  readonly wait: boolean;
}

export interface ProvisionOptions extends OrderFlags, PlacingOptions {
  readonly file?: string;
  readonly plans?: string;
  readonly check?: true;
  readonly facts?: string;
}

/** A flag for each field of the table that has one. */
export function addFieldFlags(command: Command, fields: FieldTable): Command {
  for (const [, { option, says, repeats }] of flagsOf(fields))
    if (repeats === true) command.option(option, says, repeated);
    else command.option(option, says);
  return command;
}

export function registerProvision(program: Command, context: Context): void {
  const command = program
    .command('provision')
    .summary('make a guest')
    .description(
      'Orders a guest and waits until it is there. Everything but the name has a default, from the plan, the dom0 or the network; docs/order-fields.md has every key.',
    )
    .argument('[NAME]', 'name of the guest: a host name in lower case')
    .option('--file <ORDER>', 'the order in a file, JSON or YAML; - is standard input')
    .option('--plans <FILE>', 'your own plans (default: GUESTFLOW_PLANS, or the shipped plans.yaml)');
  addFieldFlags(command, FIELDS)
    .option('--ssh-key <FILE>', 'public key for root; may be repeated', repeated)
    .option('--password-stdin', "read root's password from standard input; only its hash leaves this machine, sealed for the dom0")
    .option('--check', 'only validate; needs no server')
    .option('--facts <FILE>', 'with --check: also against this dom0 (guestflow dom0 facts HOST --json)')
    .option('--no-wait', 'return as soon as the order is taken');
  withWaiting(command).action(
    context.action(async (name: string | undefined, options: ProvisionOptions) => {
      const { provision } = await import('../provision.ts');
      return provision(context.io, name, options);
    }),
  );
}
