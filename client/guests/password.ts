/** Passwords become hashes here, on the client's side: nothing behind this file ever sees one. */
import type { Readable } from 'node:stream';
import { createRunner, ToolError } from '../../system/run.ts';
import { GuestflowError } from '../../contract/errors.ts';

const LONGEST = 256;

/**
 * The crypt(5) hash (SHA-512) of a password. openssl gets it on its standard input: an argument could be read by anyone on this machine.
 *
 * @throws GuestflowError InvalidInput for an empty, overlong or unprintable password
 */
export async function hashPassword(plain: string): Promise<string> {
  const refuse = (reason: string): GuestflowError => new GuestflowError('InvalidInput', `the password ${reason}`, { field: 'password' });
  if (plain === '') throw refuse('is empty');
  if (Buffer.byteLength(plain) > LONGEST) throw refuse(`is longer than ${LONGEST} bytes`);

  if (/[\u0000-\u001f\u007f]/.test(plain)) throw refuse('has control characters');
  try {
    const { stdout } = await createRunner().run('openssl', ['passwd', '-6', '-stdin'], { input: `${plain}\n`, timeoutMs: 10_000 });
    return stdout.trim();
  } catch (error) {
    const reason = error instanceof ToolError && error.notFound ? 'openssl is not installed' : 'openssl failed';
    throw new GuestflowError('ToolFailed', `the password cannot be hashed: ${reason}`, {
      mend: 'install openssl, or give the hash itself in an order (passwordHash)',
    });
  }
}

/**
 * The first line of a stream, without its end of line. What comes after is not read.
 *
 * @throws GuestflowError InvalidInput when the line is longer than a password may be
 */
export async function readPassword(stream: Readable): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of stream) {
    const bytes = Buffer.from(chunk as Uint8Array | string);
    chunks.push(bytes);
    length += bytes.length;
    if (bytes.includes(10)) break;
    if (length > LONGEST + 2)
      throw new GuestflowError('InvalidInput', `the password is longer than ${LONGEST} bytes`, { field: 'password' });
  }
  return (Buffer.concat(chunks).toString('utf8').split('\n', 1)[0] ?? '').replace(/\r$/, '');
}
