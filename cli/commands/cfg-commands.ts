/** `guestflow cfg show|fix`: an xl cfg by itself, without Temporal or a dom0. */
import type { Command } from 'commander';
import { JSON_OPTION, repeated, type Context } from '../context.ts';
import type { FixOptions, ShowOptions } from './cfg.ts';

export function registerCfg(program: Command, context: Context): void {
  const cfg = program.command('cfg').summary('read or edit an xl cfg file').helpCommand(false);
  cfg
    .command('show')
    .summary('a cfg as JSON, as xl understands it')
    .argument('<FILE>')
    .option('--json', 'errors as JSON, too')
    .action(context.action(async (file: string, options: ShowOptions) => (await import('./cfg.ts')).showCommand(file, options)));
  cfg
    .command('fix')
    .summary('edit a cfg, keeping what is not changed byte for byte')
    .argument('<FILE>')
    .option('--change <FILE>', 'the change as JSON or YAML; - is standard input')
    .option('--set <KEY=VALUE>', 'set a key; may be repeated', repeated)
    .option('--out <FILE>', 'write the result there (default: standard output)')
    .option('--diff', 'print a unified diff')
    .option(...JSON_OPTION)
    .action(context.action(async (file: string, options: FixOptions) => (await import('./cfg.ts')).fixCommand(file, options)));
}
