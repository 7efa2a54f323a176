/** What `guestflow gateway` refuses to start without, and how it makes tokens. */
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { Command } from 'commander';
import { afterAll, describe, expect, it } from 'vitest';
import { registerGateway } from '../../../cli/commands/gateway.ts';
import type { Io } from '../../../cli/io.ts';
import { loadConfiguration } from '../../../gateway/configuration.ts';
import { authorize, parseTokens } from '../../../gateway/v1/tokens.ts';
import { run } from './run.ts';
import { SIGNUP_SECRET } from '../gateway/bench.ts';

const directory = mkdtempSync(join(tmpdir(), 'gateway-cli-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

function file(name: string, text: string, mode = 0o600): string {
  const path = join(directory, name);
  writeFileSync(path, text);
  chmodSync(path, mode);
  return path;
}

async function command(...argv: string[]): Promise<string> {
  const stdout = new PassThrough();
  const io: Io = { stdin: Readable.from([]), stdout, stderr: new PassThrough(), env: {}, onInterrupt: () => () => undefined };
  const program = new Command().exitOverride().configureOutput({ writeErr: () => undefined });
  registerGateway(program, {
    io,
    action:
      (work) =>
      async (...args) => {
        await work(...args);
      },
  });
  await program.parseAsync(argv, { from: 'user' });
  return String(stdout.read() ?? '');
}

describe('guestflow gateway', () => {
  it.each([
    [['gateway', '--help'], '--stripe-secret-file'],
    [['gateway', 'token', '--help'], '--scope'],
    [['events', '--help'], '--problems'],
  ])('is a command of the executable: %j', async (argv, flag) => {
    const { code, stdout } = await run(argv);
    expect(code).toBe(0);
    expect(stdout).toContain(flag);
  });

  it('does not start without a secret', async () => {
    await expect(command('gateway')).rejects.toMatchObject({
      type: 'InvalidInput',
      message: expect.stringContaining('no secret') as unknown,
    });
  });

  it('does not start with an address that is none', async () => {
    await expect(
      command('gateway', '--signup-secret-file', file('good', `${SIGNUP_SECRET}\n`), '--listen', 'here:99999'),
    ).rejects.toMatchObject({ details: { field: 'listen' } });
  });

  it.each([
    ['that everybody can read', 'open', SIGNUP_SECRET, 0o644, 'everybody'],
    ['that is empty', 'empty', '# nothing\n\n', 0o600, 'no secret'],
    ['with a word that is too short', 'short', 'whsec_x\n', 0o600, 'shorter'],
    ['with what is no secret of Standard Webhooks', 'odd', 'whsec_!!!!!!!!!!!!!!!!!!!!', 0o600, 'Standard Webhooks'],
  ])('refuses a file %s, and does not repeat it', async (_what, name, text, mode, reason) => {
    const refused = await loadConfiguration({ signupSecretFile: file(name, text, mode) }, {}).catch((error: unknown) => error as Error);
    expect(refused).toMatchObject({ type: 'InvalidInput', message: expect.stringContaining(reason) as unknown });
    expect((refused as Error).message).not.toContain(text.trim());
  });

  it('takes several secrets of a file, and systemd credentials by their names', async () => {
    file('signup-secret', `${SIGNUP_SECRET}\n# the next one\nwhsec_${Buffer.from('the next one of them').toString('base64')}\n`);
    file('stripe-secret', 'whsec_stripe_0123456789\n');
    const { signupSecrets, stripeSecrets } = await loadConfiguration({}, { CREDENTIALS_DIRECTORY: directory });
    expect(signupSecrets).toHaveLength(2);
    expect(stripeSecrets).toEqual(['whsec_stripe_0123456789']);
  });

  it('refuses a price that stands for no plan', async () => {
    const prices = file('prices.yaml', 'prices:\n  price_1: smal\n');
    await expect(loadConfiguration({ signupSecretFile: file('good', SIGNUP_SECRET), prices }, {})).rejects.toMatchObject({
      type: 'InvalidInput',
      message: expect.stringContaining('did you mean small') as unknown,
    });
  });

  it('says what is wrong with the time to answer', async () => {
    await expect(command('gateway', '--signup-secret-file', file('good', SIGNUP_SECRET), '--answer-within', 'soon')).rejects.toMatchObject({
      details: { field: 'answerWithin' },
    });
  });
});

describe('guestflow gateway token', () => {
  it('prints a token once and keeps its hash', async () => {
    const path = join(directory, 'tokens.yaml');
    const token = (
      await command('gateway', 'token', 'panel', '--scope', 'guests:read', '--scope', 'guests:operate', '--file', path)
    ).trim();
    const other = (await command('gateway', 'token', 'script', '--scope', 'guests:order', '--file', path)).trim();
    expect(token).toMatch(/^gf_panel_[\w-]{43}$/);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(readFileSync(path, 'utf8')).not.toContain(token.slice(9));
    const tokens = parseTokens(readFileSync(path), path);
    const request = (bearer: string): Request => new Request('http://gateway/', { headers: { authorization: `Bearer ${bearer}` } });
    expect(authorize(request(token), tokens, 'guests:operate').id).toBe('panel');
    expect(() => authorize(request(token), tokens, 'guests:terminate')).toThrow('not for guests:terminate');
    for (const wrong of [
      other.replace('script', 'panel'),
      `${token.slice(0, -1)}!`,
      'gf_nobody_' + 'a'.repeat(43),
      '',
      token.toUpperCase(),
    ]) {
      expect(() => authorize(request(wrong), tokens, 'guests:read')).toThrow('none of ours');
    }
    await expect(command('gateway', 'token', 'panel', '--scope', 'guests:read', '--file', path)).rejects.toMatchObject({
      type: 'InvalidInput',
    });
  });

  it('speaks for the customer or the guest that it is told, and for the provider by default', async () => {
    const path = join(directory, 'subjects.yaml');
    const make = (name: string, ...more: string[]): Promise<string> =>
      command('gateway', 'token', name, '--scope', 'guests:read', '--file', path, ...more);
    await make('provider');
    await make('customer', '--customer', 'C-1');
    expect(JSON.parse(await make('guest', '--guest', 'guest1', '--json'))).toMatchObject({ guest: 'guest1' });
    expect(parseTokens(readFileSync(path), path).map(({ customer, guest }) => [customer, guest])).toEqual([
      [undefined, undefined],
      ['C-1', undefined],
      [undefined, 'guest1'],
    ]);
    await expect(make('both', '--customer', 'C-1', '--guest', 'guest1')).rejects.toThrow(/--customer|--guest/);
  });

  it('knows its scopes', async () => {
    await expect(
      command('gateway', 'token', 'panel', '--scope', 'everything', '--file', join(directory, 'none.yaml')),
    ).rejects.toMatchObject({ type: 'InvalidInput' });
  });
});
