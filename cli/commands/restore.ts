/** `guestflow restore`. */
import type { Command } from 'commander';
import { GuestflowError } from '../../contract/errors.ts';
import { JSON_OPTION, type Context } from '../context.ts';
import { bundledReader } from '../repository/bundled-reader.ts';
import { RESTORE, withRestoring } from '../repository/commands.ts';
import type { RestoreOptions } from '../repository/options.ts';

export function registerRestore(program: Command, context: Context): void {
  withRestoring(
    program
      .command('restore')
      .summary(RESTORE.summary)
      .description(RESTORE.description)
      .argument('<NAME>')
      .option(...JSON_OPTION),
  ).action(
    context.action(async (name: string, options: RestoreOptions) => {
      if (options.repository === undefined)
        throw new GuestflowError('InvalidInput', 'a guest is restored from a directory of backups, on the machine that has it', {
          field: 'repository',
          mend: 'name the directory: --repository DIR',
        });
      return (await import('../repository/restore.ts')).restoreFrom(context.io, name, options, bundledReader);
    }),
  );
}
