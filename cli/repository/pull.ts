/** `guestflow pull-backups`: a backup host copies what a dom0 has. Neither Temporal nor root is needed. */
import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Pulled, Pulling } from '../../activities/dom0/backup/remote/pull.ts';
import { GuestflowError } from '../../contract/errors.ts';
import { EXIT } from '../../contract/exit-codes.ts';
import { formatSize } from '../../contract/sizes.ts';
import { machineLock } from '../../system/machine-lock.ts';
import { plainText } from '../../system/plain-text.ts';
import { syncDirectory } from '../../system/whole-file.ts';
import { going, retain } from '../../workflows/backups/retention.ts';
import { printJson, printLine, type Io } from '../io.ts';
import type { PullOptions } from './options.ts';
import { byHand } from './progress.ts';
import { checkedOptions } from './pull-options.ts';

/** One that was killed has its lock for a moment still. */
const LOCK_WAIT_MS = 2_000;

/** @returns the exit code: 1 if anything was found that a person must look at */
export async function pullBackups(io: Io, options: PullOptions): Promise<number> {
  const { remote, dom0, root, limits, retention } = await checkedOptions(options);
  const lock = await machineLock(`pull-backups:${root}`, LOCK_WAIT_MS);
  if (lock === undefined)
    throw new GuestflowError('Busy', `another pull into ${root} runs on this machine`, { field: 'into', mend: 'wait until it has ended' });
  try {
    const { pull } = await import('../../activities/dom0/backup/remote/pull.ts');
    const pulling: Pulling = {
      ...{ remote, root, limits, isDryRun: options.dryRun === true, doesVerify: options.verify === true },
      retain: (backups) => {
        // By the time at which they came: what the dom0 says of times counts for nothing.
        const arrived = backups.map((backup) => ({ ...backup, takenAt: backup.arrivedAt }));
        return retention === undefined ? [] : going(retain(arrived, retention, 'UTC'));
      },
    };
    const left = 'interrupted: what has come of a backup stays, and the next pull goes on from there';
    const pulled = await byHand(io, options.json === true, left, async (work) => {
      if (!pulling.isDryRun && (await mkdir(root, { recursive: true, mode: 0o700 })) !== undefined) await syncDirectory(dirname(root));
      return await pull(work, pulling);
    });
    return show(io, options, { dom0, root }, pulled);
  } finally {
    await lock.release();
  }
}

function show(io: Io, { json, dryRun }: PullOptions, { dom0, root }: { dom0: string; root: string }, pulled: Pulled): number {
  const { taken, present, removed, problems, untold } = pulled;
  if (json) printJson(io, { dom0, directory: root, ...pulled });
  else {
    const would = dryRun === true ? 'would be ' : '';
    for (const { guest, id, bytes, resumedFrom } of taken)
      printLine(
        io,
        `${guest} ${id} ${would}taken, ${formatSize(bytes)}${resumedFrom === undefined ? '' : `, ${formatSize(resumedFrom)} of it were here`}`,
      );
    for (const { guest, id, bytes } of removed) printLine(io, `${guest} ${id} ${would}removed by retention, ${formatSize(bytes)}`);
    for (const { of, reason } of problems) io.stderr.write(`guestflow: ${oneLine(of)}: ${oneLine(reason)}\n`);
    if (untold > 0) io.stderr.write(`guestflow: ${untold} more like these\n`);
    printLine(
      io,
      `${dom0}: ${taken.length} ${would}taken, ${present} were here, ${removed.length} ${would}removed, ${problems.length + untold} problems`,
    );
  }
  return problems.length === 0 ? EXIT.done : EXIT.failed;
}

function oneLine(text: string): string {
  return plainText(text).replaceAll('\n', ' ');
}
