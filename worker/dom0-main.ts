/** The dom0 worker's process, as the Debian package starts it: settings from /etc/guestflow, log lines to the journal. */
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { exitCodeOf } from '../contract/exit-codes.ts';
import { GuestflowError } from '../contract/errors.ts';
import { runDom0Process } from './dom0-process.ts';
import { DOM0_SETTINGS_PATH, loadDom0Settings } from './dom0-settings.ts';
import { createLogger, type Logger } from './logger.ts';
import { stopSignal } from './stop-signal.ts';

async function main(logger: Logger): Promise<void> {
  const settings = await loadDom0Settings(process.argv[2] ?? DOM0_SETTINGS_PATH);
  // The program beside this one in the package is the reader, too.
  const reader = (): Promise<Uint8Array> => readFile(join(dirname(process.argv[1] ?? ''), 'prepare.cjs'));
  await runDom0Process({ settings, signal: stopSignal(logger), logger, reader });
  logger.info('stopped');
}

const logger = createLogger('guestflow-dom0');
// The package's bundle is CommonJS, which has no top-level await.
main(logger).catch((error: unknown) => {
  if (error instanceof GuestflowError) logger.fatal({ type: error.type, ...error.details }, error.message);
  else logger.fatal({ err: error }, 'the dom0 worker failed');
  process.exitCode = error instanceof GuestflowError ? exitCodeOf(error.type) : 1;
});
