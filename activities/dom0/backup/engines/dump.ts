/** dump(8) and restore(8): backups of an ext file system, read without mounting it. */
import { StringDecoder } from 'node:string_decoder';
import { GuestflowError } from '../../../../contract/errors.ts';
import { lineReader } from '../../../../system/lines.ts';
import { tail } from '../../../../system/run.ts';
import type { Container } from '../port.ts';

/** What dump says if all goes well. Everything else is a warning. */
const USUAL = new RegExp(
  '^(?:' +
    [
      'Date of this level',
      'Date this dump completed',
      'Dumping ',
      'Label: ',
      'Writing \\d+ Kilobyte',
      'mapping \\(Pass',
      'estimated \\d+ blocks',
      'dumping \\(Pass',
      'Volume \\d+ (?:started|completed|took|transfer rate|\\d+ blocks)',
      '\\d+ blocks',
      'finished in',
      'Average transfer rate',
      'DUMP IS DONE',
      '\\d+\\.\\d+% done',
      'Closing ',
    ].join('|') +
    ')',
);

/** Reads dump's standard error: its warnings, and whether it says that it is done. */
export function parseDumpReport(text: string): { warnings: string[]; done: boolean } {
  const lines = text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
  const messages = lines.map((line) => line.replace(/^DUMP: /, ''));
  return { warnings: messages.filter((message) => !USUAL.test(message)), done: messages.includes('DUMP IS DONE') };
}

/** @throws BackupUnusable unless dump says that it is done and warns of nothing. It exits with 0 after a read error, which it only warns of. */
export function mustHaveDumped(device: string, stderr: string): void {
  const { warnings, done } = parseDumpReport(stderr);
  if (!done) throw new GuestflowError('BackupUnusable', `dump of ${device} ended without saying that it is done`);
  if (warnings.length > 0)
    throw new GuestflowError('BackupUnusable', `dump of ${device} is not to be trusted; it says: ${tail(warnings.join('\n'), 3)}`);
}

/** A line of `restore -t` that names something: inode and path in columns. The heading has none. */
const LISTED = /^\s*\d+\t(.*)$/;

/** How much of an unfinished line is kept at most. A path has at most 4 096 bytes. */
const LONGEST_LINE = 8_192;

/**
 * Looks through a listing of `restore -t` while it is printed. A tenant decides how many files there are, and a worker has little memory: so only the
 * wanted names, each once, and the unfinished line are kept.
 */
export function searchListing(wanted: RegExp): { push(chunk: Uint8Array): void; end(): string[] } {
  const decoder = new StringDecoder('utf8');
  const found = new Set<string>();
  const look = (line: string): void => {
    const name = LISTED.exec(line)?.[1];
    if (name !== undefined && wanted.test(name)) found.add(name);
  };
  const reader = lineReader(look, { ends: /\n/, longest: LONGEST_LINE });
  return {
    push(chunk) {
      reader.push(decoder.write(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)));
    },
    end() {
      reader.push(decoder.end());
      reader.end();
      return [...found];
    },
  };
}

/** restore reads what a tenant wrote, so it runs as the user nobody, without privileges. */
const AS_NOBODY = ['--reuid=65534', '--regid=65534', '--clear-groups', '--no-new-privs', '--bounding-set=-all', '--'] as const;

/** Two files that every root file system has. */
const OF_A_ROOT = /^(?:\.\/)?etc\/(?:hostname|passwd)$/;

/**
 * Reads a whole dump back and returns which of the wanted paths are in it, each beginning with `.`. ToolError when it cannot be read to its end.
 *
 * @param wanted an expression that few paths match. Default: two files that every root file system has.
 */
export async function listDump(container: Container, wanted = OF_A_ROOT): Promise<string[]> {
  const listing = searchListing(wanted);
  // restore writes its tables to temporary files; the user nobody may write only in /tmp.
  await container.feed(
    { tool: 'setpriv', args: [...AS_NOBODY, 'restore', '-t', '-f', '-'] },
    { cwd: '/tmp', sink: (chunk) => listing.push(chunk) },
  );
  return listing.end();
}
