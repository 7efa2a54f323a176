/** The order that a person gave, from flags or from a file. */
import { createReadStream } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { LONGEST_DOCUMENT, parseDocument } from '../order/document.ts';
import { GuestflowError } from '../contract/errors.ts';
import type { Fields } from '../contract/field-types.ts';
import { FIELDS, type Field, type FieldTable } from '../contract/fields.ts';
import { sshKeyLines, whyOtherFormat } from '../contract/ssh-key.ts';
import { hashPassword, readPassword } from '../client/guests/password.ts';
import { flagsOf } from './field-flags.ts';
import type { Io } from './io.ts';

/** Flags that are keys of the order, as commander names them: those of the table of fields, and two that are read from elsewhere. */
export type OrderFlags = { readonly [K in FlagKey]?: string | true | readonly string[] } & {
  /** Files of public keys. */
  readonly sshKey?: readonly string[];
  readonly passwordStdin?: true;
};

type FlagKey = { [K in keyof Fields]: Fields[K] extends { flag: object } ? K : never }[keyof Fields];

/** A flag's text as the key of an order has it: a count is a number where it is one, and words that were given one by one are a list. */
function valueOf(field: Field | undefined, given: unknown): unknown {
  if (field?.value.is === 'count' && typeof given === 'string' && /^\d+$/.test(given)) return Number(given);
  if (field?.value.is === 'list' && Array.isArray(given))
    return given.flatMap((words) =>
      String(words)
        .split(' ')
        .filter((word) => word !== ''),
    );
  return given;
}

/** The order that the flags make. Files and standard input are read, the password is hashed; the rest the schema of orders judges. */
export async function orderFromFlags(io: Io, name: string | undefined, flags: OrderFlags, fields: FieldTable = FIELDS): Promise<unknown> {
  if (name === undefined) throw bad('name is missing: guestflow provision NAME …, or --file ORDER.yaml', 'name');
  const all = new Map<string, unknown>(Object.entries(flags));
  const keys = flagsOf(fields).filter(([key]) => all.get(key) !== undefined);
  return {
    name,
    ...Object.fromEntries(keys.map(([key]) => [key, valueOf(fields[key], all.get(key))])),
    ...(flags.sshKey === undefined ? {} : { sshKeys: (await Promise.all(flags.sshKey.map(readKeys))).flat() }),
    ...(flags.passwordStdin === undefined ? {} : { passwordHash: await hashPassword(await readPassword(io.stdin)) }),
  };
}

/** The order in a file, or on standard input when the file is `-`. */
export async function orderFromFile(io: Io, path: string, name: string | undefined, flags: OrderFlags): Promise<unknown> {
  const all = new Map<string, unknown>(Object.entries(flags));
  const mixed = [...flagsOf(FIELDS).map(([key]) => key), 'sshKey', 'passwordStdin'].find((key) => all.get(key) !== undefined);
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

/** The keys in a file. @throws GuestflowError InvalidInput when there are none */
export async function readKeys(path: string): Promise<string[]> {
  const bytes = await readFile(path).catch((error: unknown) => {
    throw bad(`the SSH key ${path} cannot be read: ${messageOf(error)}`, 'sshKeys');
  });
  if (bytes.includes(0)) throw bad(`${path} is no text in UTF-8 (PowerShell writes UTF-16 by ">"): save it as UTF-8`, 'sshKeys');
  const text = bytes.toString('utf8');
  const reason = whyOtherFormat(text);
  if (reason !== undefined) throw bad(`${path} ${reason}`, 'sshKeys');
  const lines = sshKeyLines(text);
  if (lines.length === 0) throw bad(`${path} holds no SSH key`, 'sshKeys');
  return lines;
}

function bad(message: string, field: string): GuestflowError {
  return new GuestflowError('InvalidInput', message, { field });
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
