/** What a dom0 needs for borg repositories. Rows of the preflight. */
import type { PreflightRow } from '../../../../contract/dom0.ts';
import { ToolError } from '../../../../system/run.ts';
import { missing, ok } from '../../preflight-rows.ts';
import { borgVersion } from '../../tools/borg.ts';
import { isInstalled } from '../../tools/installed.ts';
import type { Work } from '../../work.ts';
import { whyNotSecret } from '../passphrase.ts';

const ROW = 'borg';
const MEND = 'apt-get install borgbackup openssl';
/** borg 2 has another format; `--content-from-command` came with 1.2. */
const LEAST: readonly [number, number] = [1, 2];

export async function borgRows({ host, settings }: Work): Promise<PreflightRow[]> {
  const { backupPassphraseFile: path } = settings;
  const why = await whyNotSecret(host.files, path);
  return [
    await installed({ host }),
    why === undefined
      ? ok('backup passphrase', path)
      : missing('backup passphrase', `${path} ${why.reason}: without it the borg repositories cannot be opened`, why.mend),
  ];
}

async function installed({ host }: Pick<Work, 'host'>): Promise<PreflightRow> {
  if (!(await isInstalled(host.files, '/usr/bin/openssl'))) return missing(ROW, 'openssl is not installed', MEND);
  try {
    const { text, numbers } = await borgVersion(host);
    const [major = 0, minor = 0] = numbers;
    if (major !== LEAST[0] || minor < LEAST[1])
      return missing(ROW, `borg ${text} is installed`, `install one of 1.2 or later, but not 2: ${MEND}`);
    return ok(ROW, `borg ${text}`);
  } catch (error) {
    if (!(error instanceof ToolError)) throw error;
    return missing(ROW, error.notFound ? 'borg is not installed' : error.message, MEND);
  }
}
