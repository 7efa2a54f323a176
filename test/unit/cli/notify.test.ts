/** `guestflow notify test`: each channel is tried once, and what was answered is said. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SMTPServer } from 'smtp-server';
import { afterAll, expect, it } from 'vitest';
import { SIGNUP_SECRET } from '../gateway/bench.ts';
import { errorOf, run } from './run.ts';

const directory = mkdtempSync(join(tmpdir(), 'notify-cli-'));
const mails: string[] = [];
const server = new SMTPServer({
  authOptional: true,
  disabledCommands: ['STARTTLS'],
  onData: (stream, _session, done) => {
    let text = '';
    stream.on('data', (chunk: Buffer) => (text += chunk.toString('utf8')));
    stream.on('end', () => {
      mails.push(text);
      done();
    });
  },
});
afterAll(() => {
  server.close();
  rmSync(directory, { recursive: true, force: true });
});

it('sends a test by mail, and says of a webhook that nobody answered', async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
  const port = String((server.server.address() as AddressInfo).port);
  const [secret, file] = [join(directory, 'secret'), join(directory, 'notify.yaml')];
  writeFileSync(secret, SIGNUP_SECRET, { mode: 0o600 });
  const mail = `  mail: { host: 127.0.0.1, port: ${port}, security: none, from: guestflow@example.org, to: [noc@example.org] }`;
  writeFileSync(file, `operators:\n${mail}\n`);
  expect(await run(['notify', 'test', '--file', file])).toMatchObject({ code: 0, stdout: 'mail: the mail server 127.0.0.1 took it\n' });
  expect(mails[0]).toContain('this is a test');
  writeFileSync(file, `operators:\n${mail}\n  webhook: { url: "http://127.0.0.1:1/PLANTED", secretFile: ${secret}, allowPrivate: true }\n`);
  const { code, stdout } = await run(['notify', 'test', '--json'], { env: { GUESTFLOW_NOTIFY: file } });
  expect(code).toBe(1);
  expect(JSON.parse(stdout)).toMatchObject([
    { channel: 'mail', isTaken: true },
    { channel: 'webhook', isTaken: false },
  ]);
  expect(stdout).not.toContain('PLANTED');
});

it('says what to do when nobody would be told', async () => {
  expect(errorOf(await run(['notify', 'test', '--json']))).toMatchObject({ type: 'InvalidInput', field: 'file' });
});
