/**
 * The program `guestflow-dom0` of the dom0 worker's package, bundled into one file: it runs on the host itself, by the package's own Node. It prepares a
 * host, and reads the backups in a directory when nothing but that is left.
 */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { READER_WORD, runReader } from '../activities/dom0/backup/files/reader.ts';
import { createHost } from '../system/host.ts';
import { EXIT } from '../contract/exit-codes.ts';
import packageJson from '../package.json' with { type: 'json' };
import { answerRequest } from '../prepare/request.ts';
import { thisMachine } from '../prepare/target.ts';
import { processIo } from './io.ts';
import { withPrepare, type PrepareFlags } from './prepare-flags.ts';
import { prepareTarget } from './prepare.ts';
import { report } from './report.ts';
import { pullCommand, RESTORE, serveCommand, withListing, withRestoring } from './repository/commands.ts';
import type { ListOptions, PullOptions, ReaderProgram, RestoreOptions, ServeOptions } from './repository/options.ts';

const JSON_OPTION = ['--json', 'print one JSON document'] as const;

/** This bundle is the reader, too. */
const thisProgram: ReaderProgram = () => readFile(fileURLToPath(import.meta.url));

const io = processIo();
let exitCode: number = EXIT.done;
const program = new Command('guestflow-dom0')
  .description(
    'Prepares this host to be a dom0 of guestflow, copies backups to another machine, and brings back what is in a directory of them.',
  )
  .version(packageJson.version)
  .configureOutput({ outputError: () => undefined })
  .exitOverride();

withPrepare(
  program
    .command('prepare')
    .summary('take a bare Debian to a dom0')
    .description(
      'Installs Xen and the tools of guestflow, makes GRUB boot Xen, sets xl.conf, makes directories and, as told by flags, a volume group and a bridge. Shows the plan first; run again, it finds all done. Exit code 6: all is done but the reboot.',
    )
    .option(...JSON_OPTION),
).action(async (flags: PrepareFlags) => {
  exitCode = await prepareTarget(io, thisMachine(), flags);
});

program
  .command('confirm')
  .summary('say that this host is reached over its new bridge')
  .description('Run from a new login within a minute of a change of the network: the bridge stays.')
  .action(async () => {
    await thisMachine().confirm();
  });

withListing(
  program
    .command('backups')
    .summary('list the backups in a directory')
    .description('Lists the guests in a directory of backups, and their backups. Records that are damaged are told.')
    .argument('[NAME]')
    .option(...JSON_OPTION),
).action(async (name: string | undefined, options: ListOptions) => {
  exitCode = (await (await import('./repository/list.ts')).showRepository(io, name, options, thisProgram)) ?? EXIT.done;
});

withRestoring(
  program
    .command('restore')
    .summary(RESTORE.summary)
    .description(RESTORE.description)
    .argument('<NAME>')
    .option(...JSON_OPTION),
).action(async (name: string, options: RestoreOptions) => {
  exitCode = (await (await import('./repository/restore.ts')).restoreFrom(io, name, options, thisProgram)) ?? EXIT.done;
});

pullCommand(program).action(async (options: PullOptions) => {
  exitCode = await (await import('./repository/pull.ts')).pullBackups(io, options);
});

serveCommand(program).action(async ({ repository }: ServeOptions) => {
  await (await import('./repository/serve.ts')).serve(io, repository);
});

// What runs in the cage: the reader of a guest's file system.
program.command(`${READER_WORD} <IMAGE> <REQUEST>`, { hidden: true }).action(runReader);

// What `guestflow dom0 prepare --ssh` starts.
program.command('answer <KIND> <FOLDER>', { hidden: true }).action(async (kind: string, folder: string) => {
  const interrupt = new AbortController();
  io.onInterrupt(() => interrupt.abort());
  await answerRequest(createHost(), folder, kind === 'run' ? 'run' : 'plan', interrupt.signal);
});

program
  .parseAsync()
  .catch((error: unknown) => {
    exitCode = report(io, error, process.argv.includes('--json'));
  })
  .finally(() => {
    process.exitCode = exitCode;
  });
