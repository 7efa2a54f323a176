/** The order that a person gave, from flags or from a file. */
import { createReadStream } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { LONGEST_DOCUMENT, parseDocument } from '../contract/document.ts';
import { GuestflowError } from '../contract/errors.ts';
import { sshKeyLines } from '../contract/ssh-key.ts';
import { hashPassword, readPassword } from '../client/password.ts';
import type { Io } from './io.ts';

/** Flags that are keys of the order, as commander names them. */
export interface OrderFlags {
  readonly order?: string;
  readonly plan?: string;
  readonly dom0?: string;
  readonly type?: string;
  readonly ip?: string;
  readonly netmask?: string;
  readonly gateway?: string;
  readonly bridge?: string;
  readonly mac?: string;
  readonly memory?: string;
  readonly vcpus?: string;
  readonly disk?: string;
  readonly swap?: string;
  readonly dist?: string;
  readonly mirror?: string;
  readonly role?: string;
  readonly timezone?: string;
  readonly backupAt?: string;
  readonly managed?: true;
  readonly debootstrap?: true;
  readonly extra?: readonly string[];
  readonly sshKey?: readonly string[];
  readonly passwordStdin?: true;
}

/** Flags that are passed on as they are: the schema of orders judges them. */
const AS_TEXT = [
  'order',
  'plan',
  'dom0',
  'type',
  'ip',
  'netmask',
  'gateway',
  'bridge',
  'mac',
  'memory',
  'disk',
  'swap',
  'dist',
  'mirror',
  'role',
  'timezone',
  'backupAt',
  'managed',
  'debootstrap',
] as const;
const FLAGS = [...AS_TEXT, 'vcpus', 'extra', 'sshKey', 'passwordStdin'] as const;

/** The order that the flags make. Files and standard input are read, the password is hashed. */
export async function orderFromFlags(io: Io, name: string | undefined, flags: OrderFlags): Promise<unknown> {
  if (name === undefined) throw bad('name is missing: guestflow provision NAME …, or --file ORDER.yaml', 'name');
  const given = Object.fromEntries(AS_TEXT.filter((key) => flags[key] !== undefined).map((key) => [key, flags[key]]));
  return {
    name,
    ...given,
    ...(flags.vcpus === undefined ? {} : { vcpus: /^\d+$/.test(flags.vcpus) ? Number(flags.vcpus) : flags.vcpus }),
    ...(flags.extra === undefined ? {} : { extra: flags.extra.flatMap((words) => words.split(' ').filter((word) => word !== '')) }),
    ...(flags.sshKey === undefined ? {} : { sshKeys: (await Promise.all(flags.sshKey.map(readKeys))).flat() }),
    ...(flags.passwordStdin === undefined ? {} : { passwordHash: await hashPassword(await readPassword(io.stdin)) }),
  };
}

/** The order in a file, or on standard input when the file is `-`. */
export async function orderFromFile(io: Io, path: string, name: string | undefined, flags: OrderFlags): Promise<unknown> {
  const mixed = FLAGS.find((key) => flags[key] !== undefined);
  if (name !== undefined) throw bad(`give the order by its name and flags, or in a file: not both (NAME ${name} with --file)`, 'file');
  if (mixed !== undefined) throw bad(`give the order by flags or in a file, not both: put ${mixed} into ${path}`, mixed);
  const what = path === '-' ? 'standard input' : path;
  return parseDocument(await readBounded(path === '-' ? io.stdin : await openFile(path), what), what);
}

async function openFile(path: string): Promise<Readable> {
  const info = await stat(path).catch((error: unknown) => {
    throw bad(`${path} cannot be read: ${messageOf(error)}`, 'file');
  });
  if (info.isDirectory()) throw bad(`${path} is a directory, not a file`, 'file');
  return createReadStream(path);
}

async function readBounded(stream: Readable, what: string): Promise<Uint8Array> {
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    for await (const chunk of stream) {
      const bytes = Buffer.from(chunk as Uint8Array | string);
      chunks.push(bytes);
      length += bytes.length;
      if (length > LONGEST_DOCUMENT) break;
    }
  } catch (error) {
    throw bad(`${what} cannot be read: ${messageOf(error)}`, 'file');
  }
  return Buffer.concat(chunks);
}

async function readKeys(path: string): Promise<string[]> {
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    throw bad(`the SSH key ${path} cannot be read: ${messageOf(error)}`, 'sshKeys');
  });
  const lines = sshKeyLines(text);
  if (text.includes('PRIVATE KEY')) throw bad(`${path} is a private key: give the public one (${path}.pub)`, 'sshKeys');
  if (lines.length === 0) throw bad(`${path} holds no SSH key`, 'sshKeys');
  return lines;
}

function bad(message: string, field: string): GuestflowError {
  return new GuestflowError('InvalidInput', message, { field });
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
