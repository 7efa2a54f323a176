/**
 * The command line. Each command loads what it needs when it runs, so that `--help` answers at once.
 *
 * Exit codes: 0 done · 1 failed and undone · 2 bad input · 3 refused · 4 needs cleanup · 5 Temporal or a worker cannot be reached · 6 the host must be rebooted · 130 interrupted.
 */
import { Command } from 'commander';
import packageJson from '../package.json' with { type: 'json' };
import { EXIT } from '../contract/exit-codes.ts';
import { registerBackup } from './commands/backup.ts';
import { registerCfg } from './commands/cfg-commands.ts';
import { registerCodecServer } from './commands/codec-server.ts';
import { registerDom0 } from './commands/dom0.ts';
import { registerGateway } from './commands/gateway.ts';
import { registerGuests } from './commands/guests.ts';
import { registerLab } from './commands/lab.ts';
import { registerNetwork } from './commands/network.ts';
import { registerOperations } from './commands/operations.ts';
import { registerProvision } from './commands/provision.ts';
import { registerRestore } from './commands/restore.ts';
import { registerServerless } from './commands/serverless.ts';
import { registerNotify } from './commands/notify.ts';
import { registerTop } from './commands/top.ts';
import { registerUp } from './commands/up.ts';
import { registerWorker } from './commands/worker.ts';
import type { Context } from './context.ts';
import { processIo, type Io } from './io.ts';
import { report } from './report.ts';

/**
 * Runs one command.
 *
 * @param argv what follows the program's name
 * @param io default: this process's
 * @returns the exit code; errors have been reported
 */
export async function main(argv: readonly string[], io: Io = processIo()): Promise<number> {
  let exitCode: number = EXIT.done;
  const context: Context = {
    io,
    action:
      (work) =>
      async (...args) => {
        exitCode = (await work(...args)) ?? EXIT.done;
      },
  };
  try {
    await createProgram(context).parseAsync(argv, { from: 'user' });
    return exitCode;
  } catch (error) {
    return report(io, error, wantsJson(argv));
  }
}

function createProgram(context: Context): Command {
  const program = new Command('guestflow')
    .description(packageJson.description)
    .version(packageJson.version)
    .configureHelp({ sortSubcommands: false, showGlobalOptions: false })
    .configureOutput({
      writeOut: (text) => {
        context.io.stdout.write(text);
      },
      writeErr: (text) => {
        context.io.stderr.write(text);
      },
      // Errors are reported once, by `report`, as text or as JSON.
      outputError: () => undefined,
    })
    .exitOverride()
    .showSuggestionAfterError()
    // What follows the command of `lab exec` is that command's, flags and all.
    .enablePositionalOptions();
  registerUp(program, context);
  registerProvision(program, context);
  registerGuests(program, context);
  registerOperations(program, context);
  registerTop(program, context);
  registerBackup(program, context);
  registerRestore(program, context);
  registerCfg(program, context);
  registerDom0(program, context);
  registerNetwork(program, context);
  registerWorker(program, context);
  registerGateway(program, context);
  registerServerless(program, context);
  registerCodecServer(program, context);
  registerNotify(program, context);
  registerLab(program, context);
  return program;
}

/** Before the flags are parsed: what could not be parsed is reported as JSON, too. */
function wantsJson(argv: readonly string[]): boolean {
  const end = argv.indexOf('--');
  return (end === -1 ? argv : argv.slice(0, end)).includes('--json');
}
