/** What `guestflow gateway` and `guestflow gateway token` do. */
import { readFile } from 'node:fs/promises';
import { stringify } from 'yaml';
import { GuestflowError } from '../contract/errors.ts';
import { makeToken, parseTokens, type TokenRecord } from '../gateway/v1/tokens.ts';
import type { GatewayCommandOptions, TokenOptions } from './commands/gateway.ts';
import { printJson, printLine, type Io } from './io.ts';
import { defined } from '../contract/defined.ts';
import { writeWhole } from '../system/whole-file.ts';

/** Runs the gateway until SIGTERM or SIGINT. */
export async function runGatewayCommand(io: Io, options: GatewayCommandOptions): Promise<undefined> {
  const { runGateway } = await import('../gateway/run.ts');
  const { listen, answerWithin, address, namespace, stateDir, ...files } = options;
  const stop = new AbortController();
  const takeBack = io.onInterrupt(() => stop.abort());
  try {
    await runGateway({
      files,
      listen,
      answerMs: answerWithin === undefined ? undefined : milliseconds(answerWithin),
      signal: stop.signal,
      endpoint: {
        ...defined({ address, namespace, stateDir }),
      },
    });
  } finally {
    takeBack();
  }
  return undefined;
}

function milliseconds(text: string): number {
  if (/^\d{2,5}$/.test(text)) return Number(text);
  throw new GuestflowError('InvalidInput', `--answer-within "${text}" must be a number of milliseconds, 10 to 99999`, {
    field: 'answerWithin',
    value: text,
  });
}

/** Makes a token. It is shown here and never again. */
export async function makeTokenCommand(io: Io, name: string, options: TokenOptions): Promise<undefined> {
  const { scope, file, customer, guest, json } = options;
  const perMinute = options.perMinute === undefined ? undefined : Number(options.perMinute);
  const known = await readTokens(file);
  if (known.some(({ id }) => id === name))
    throw new GuestflowError('InvalidInput', `${file} has a token called ${name} already: remove it there first`, {
      field: 'name',
      value: name,
    });
  const { token, record } = makeToken(name, scope, new Date(), { customer, guest, perMinute });
  await writeWhole(
    file,
    `# Tokens of /v1: hashes, not the tokens. A token is taken back by removing it here, and systemctl reload guestflow-gateway.\n${stringify({ tokens: [...known, record] })}`,
  );
  if (json)
    printJson(io, {
      name,
      scopes: record.scopes,
      ...defined({ customer: record.customer, guest: record.guest, perMinute: record.perMinute }),
      token,
    });
  else printLine(io, token);
  return undefined;
}

async function readTokens(path: string): Promise<readonly TokenRecord[]> {
  const bytes = await readFile(path).catch((error: unknown) => {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown reason';
    if (code === 'ENOENT') return undefined;
    throw new GuestflowError('InvalidInput', `${path} cannot be read: ${code}`, { field: 'file' });
  });
  return bytes === undefined ? [] : parseTokens(bytes, path);
}
