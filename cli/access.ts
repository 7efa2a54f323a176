/**
 * `set-password`, `set-keys`, `set-hostname`, `reinstall` and `rescue`. A password comes from a prompt without echo or from standard input, or is made here; only its hash goes on.
 */
import { randomInt } from 'node:crypto';
import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import { z } from 'zod';
import { hashPassword, readPassword } from '../client/guests/password.ts';
import { defined } from '../contract/defined.ts';
import { GuestflowError } from '../contract/errors.ts';
import { normalHostname, whyNotHostname } from '../contract/host-name.ts';
import { field } from '../order/field-schemas.ts';
import { problemsError, problemsOf } from '../order/problems.ts';
import { reinstallFields } from '../order/reinstall.ts';
import type { SetHostnameOptions, SetKeysOptions, SetPasswordOptions } from './commands/operations.ts';
import type { ReinstallOptions, RescueOptions } from './commands/systems.ts';
import type { Io } from './io.ts';
import { operate } from './operate.ts';
import { readKeys } from './order-input.ts';

/** Neither 0 and O nor 1, l and I: it may have to be read aloud. */
const LETTERS = 'abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789';
/** 24 of 57 letters: 139 bits. */
const LENGTH = 24;

function generated(): string {
  return Array.from({ length: LENGTH }, () => LETTERS[randomInt(LETTERS.length)]).join('');
}

/**
 * A new password from a terminal, typed twice. What is typed is shown nowhere.
 *
 * @throws GuestflowError InvalidInput when the two are not the same; Cancelled at Ctrl-C or the end of the input
 */
export async function askForPassword(io: Io, name: string): Promise<string> {
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  const readline = createInterface({ input: io.stdin, output: nowhere, terminal: true, historySize: 0 });
  const lines = readline[Symbol.asyncIterator]();
  const ask = async (question: string): Promise<string> => {
    io.stderr.write(question);
    const next = (await lines.next()) as IteratorResult<string, undefined>;
    io.stderr.write('\n');
    if (next.done === true) throw new GuestflowError('Cancelled', 'no password was given: nothing was done');
    return next.value;
  };
  try {
    // Ctrl-C comes as a key here.
    readline.on('SIGINT', () => readline.close());
    const password = await ask(`New password of root in ${name}: `);
    if ((await ask('Once more: ')) === password) return password;
    throw new GuestflowError('InvalidInput', 'the two passwords are not the same: nothing was done', { field: 'password' });
  } finally {
    readline.close();
  }
}

/** Sets root's password. One that was made here is shown once, when it is set. */
export async function setPassword(io: Io, name: string, { generate, offline, ...options }: SetPasswordOptions): Promise<undefined> {
  const made = generate === true ? generated() : undefined;
  const password =
    made ?? (io.stdin.isTTY === true && options.json !== true ? await askForPassword(io, name) : await readPassword(io.stdin));
  const access = { passwordHash: await hashPassword(password), ...defined({ how: offline === true ? ('offline' as const) : undefined }) };
  return operate(io, name, 'setPassword', options, { access }, made);
}

/** The keys in these files, each once. @throws GuestflowError InvalidInput, which does not repeat what is no key */
async function keysOf(command: string, files: readonly string[]): Promise<string[]> {
  const wish = { sshKeys: (await Promise.all(files.map(readKeys))).flat() };
  const checked = z.object({ sshKeys: field.sshKeys }).safeParse(wish);
  if (!checked.success) throw problemsError(command, problemsOf(checked.error, wish, []));
  return [...new Set(checked.data.sshKeys)];
}

/** Replaces root's keys. That nobody's key is to be left is said by a flag of its own. */
export async function setKeys(io: Io, name: string, { sshKey, none, offline, ...options }: SetKeysOptions): Promise<undefined> {
  if ((sshKey !== undefined) === (none === true))
    throw new GuestflowError('InvalidInput', 'say which keys root is to have (--ssh-key FILE), or that it is to have none (--none)', {
      field: 'sshKeys',
    });
  const access = {
    sshKeys: await keysOf('set-keys', sshKey ?? []),
    ...defined({ how: offline === true ? ('offline' as const) : undefined }),
  };
  return operate(io, name, 'setKeys', options, { access });
}

/** Gives a guest another host name. */
export async function setHostname(io: Io, name: string, given: string, { offline, ...options }: SetHostnameOptions): Promise<undefined> {
  const hostname = normalHostname(given);
  const reason = whyNotHostname(hostname);
  if (reason !== undefined)
    throw new GuestflowError('InvalidInput', `the host name ${JSON.stringify(given.slice(0, 300))} ${reason}`, {
      field: 'hostname',
      value: given,
    });
  const access = { hostname, ...defined({ how: offline === true ? ('offline' as const) : undefined }) };
  return operate(io, name, 'setHostname', options, { access });
}

/** Installs a guest's system anew. */
export async function reinstall(
  io: Io,
  name: string,
  { dist, recipe, sshKey, passwordStdin, ...options }: ReinstallOptions,
): Promise<undefined> {
  const checked = z.object(reinstallFields).safeParse({ dist, recipe });
  if (!checked.success) throw problemsError('reinstall', problemsOf(checked.error, { dist, recipe }, []));
  const sshKeys = sshKey === undefined ? undefined : await keysOf('reinstall', sshKey);
  const passwordHash = passwordStdin === true ? await hashPassword(await readPassword(io.stdin)) : undefined;
  return operate(io, name, 'reinstall', options, { reinstall: defined({ dist, sshKeys, passwordHash }) });
}

/** Starts a guest in a rescue system. Its password is made here and shown once, unless one is given. */
export async function rescue(io: Io, name: string, { sshKey, passwordStdin, ...options }: RescueOptions): Promise<undefined> {
  const sshKeys = sshKey === undefined ? undefined : await keysOf('rescue', sshKey);
  const made = passwordStdin === true ? undefined : generated();
  const passwordHash = await hashPassword(made ?? (await readPassword(io.stdin)));
  return operate(io, name, 'rescue', options, { rescue: { passwordHash, ...defined({ sshKeys }) } }, made);
}
