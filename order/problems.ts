/** What is wrong with a document that a person wrote: every problem with its field, its value and the reason, as one error. */
import { inspect } from 'node:util';
import { distance } from 'fastest-levenshtein';
import type { z } from 'zod';
import { GuestflowError, type ErrorType } from '../contract/errors.ts';
import { plainly } from '../contract/printable.ts';
import { withoutPasswords } from '../contract/redact.ts';

/** One thing that is wrong. */
export interface Problem {
  readonly field: string;
  /** As text. Never a secret: left out for fields that may hold one, and without a password that stood in an address. */
  readonly value?: string;
  /** Follows field and value in a sentence: `is no IPv4 address`. */
  readonly reason: string;
}

/** The values of these keys are never in a message: a person may have put a password or a private key there. */
const SECRET_FIELDS = /^(passwordHash|sshKeys|password|passwd)\b/;
const LONGEST_VALUE = 80;

/** Names that people use for keys, and the keys' names here. */
const OTHER_WORDS: Readonly<Record<string, string>> = {
  hostname: 'name',
  host: 'name',
  address: 'ip',
  size: 'disk',
  ram: 'memory',
  cpus: 'vcpus',
  maxmem: 'memory',
  distribution: 'dist',
  ssh_keys: 'sshKeys',
  sshKey: 'sshKeys',
  install_method: 'installMethod',
  serial_device: 'serialDevice',
  ext3_options: 'fsOptions',
  ext4_options: 'fsOptions',
  password: 'passwordHash',
  passwd: 'passwordHash',
  cmdline: 'extra',
  vif: 'bridge',
};

/** Problems that zod found in `raw`, in its order, each once. */
export function problemsOf(error: z.ZodError, raw: unknown, knownKeys: readonly string[]): Problem[] {
  const problems = error.issues
    .filter((issue) => issue.code === 'invalid_type' || !isOfAnotherType(issue, error.issues))
    .flatMap((issue) => problemsIn(issue, raw, knownKeys));
  return problems.filter(
    ({ field, reason }, index) => problems.findIndex((other) => other.field === field && other.reason === reason) === index,
  );
}

type Issue = z.core.$ZodIssue;

/** Whether the value is not of the type that is asked for: zod then checks its length all the same, as if a text were a list. */
function isOfAnotherType({ path }: Issue, issues: readonly Issue[]): boolean {
  const at = JSON.stringify(path);
  return issues.some((issue) => issue.code === 'invalid_type' && JSON.stringify(issue.path) === at);
}

function problemsIn(issue: Issue, raw: unknown, knownKeys: readonly string[]): Problem[] {
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({
      field: fieldOf([...issue.path, key]),
      reason: `is no key of this document${issue.path.length === 0 ? suggestion(key.slice(0, LONGEST_VALUE), knownKeys) : ''}`,
    }));
  }
  const field = fieldOf(issue.path);
  const value = SECRET_FIELDS.test(field) ? undefined : valueAt(raw, issue.path);
  return [
    {
      field,
      reason: reasonOf(issue, valueAt(raw, issue.path)),
      ...(value === undefined || value === null ? {} : { value: showValue(value) }),
    },
  ];
}

const TYPES: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'a number',
  boolean: 'true or false',
  array: 'a list',
  object: 'a document of keys and values',
  record: 'a document of keys and values',
};

/** The schema's own words; where it has none, ours for zod's. */
function reasonOf(issue: Issue, value: unknown): string {
  if (!/^(?:Invalid input|Too small|Too big)/.test(issue.message)) return issue.message;
  if (issue.code === 'invalid_type') return value === undefined ? 'is missing' : `must be ${TYPES[issue.expected] ?? issue.expected}`;
  if (issue.code === 'too_small') return `must be at least ${String(issue.minimum)}`;
  if (issue.code === 'too_big') return `must be at most ${String(issue.maximum)}`;
  return issue.message;
}

/** One error for all problems: details are those of the first, the message has every one. */
export function problemsError(what: string, problems: readonly Problem[], type: ErrorType = 'InvalidInput'): GuestflowError {
  const lines = problems.map(describeProblem);
  const message =
    lines.length === 1
      ? `${what}: ${lines[0] ?? ''}`
      : `${what} has ${lines.length} problems:\n${lines.map((line) => `  - ${line}`).join('\n')}`;
  const [first] = problems;
  return new GuestflowError(type, message, {
    ...(first === undefined || first.field === '' ? {} : { field: first.field }),
    ...(first?.value === undefined ? {} : { value: first.value }),
  });
}

function describeProblem({ field, value, reason }: Problem): string {
  const subject = field === '' ? 'it' : field;
  return value === undefined ? `${subject} ${reason}` : `${subject} ${plainly(JSON.stringify(value))} ${reason}`;
}

/** The known word that is meant, as the end of a sentence. */
export function suggestion(word: string, known: readonly string[]): string {
  const other = OTHER_WORDS[word];
  if (other !== undefined && known.includes(other)) return `: it is called ${other}`;
  const nearest = known
    .map((candidate) => ({ candidate, letters: distance(word.toLowerCase(), candidate.toLowerCase()) }))
    .sort((a, b) => a.letters - b.letters)[0];
  return nearest !== undefined && nearest.letters <= Math.min(2, Math.floor(word.length / 2))
    ? `: did you mean ${nearest.candidate}?`
    : `; known are ${known.join(', ')}`;
}

function fieldOf(path: readonly PropertyKey[]): string {
  return path
    .map((part, index) => (typeof part === 'number' ? `[${part}]` : `${index === 0 ? '' : '.'}${shownKey(String(part))}`))
    .join('');
}

/** A key as it is, if that is one word; otherwise in quotes, and not all of it. */
function shownKey(key: string): string {
  return /^[A-Za-z0-9_-]{1,80}$/.test(key) ? key : plainly(JSON.stringify(shortened(key)));
}

function valueAt(raw: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (value, key) =>
      typeof value === 'object' && value !== null && Object.hasOwn(value, key) ? (value as Record<PropertyKey, unknown>)[key] : undefined,
    raw,
  );
}

function showValue(value: unknown): string {
  const text = typeof value === 'string' ? value : inspect(value, { depth: 2, breakLength: Infinity });
  return shortened(withoutPasswords(text));
}

function shortened(text: string): string {
  return text.length > LONGEST_VALUE ? `${text.slice(0, LONGEST_VALUE)}…` : text;
}
