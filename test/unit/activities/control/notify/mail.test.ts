/** Mail to operators, handed over to real servers on this machine: good ones, and ill ones. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SMTPServer, type SMTPServerOptions } from 'smtp-server';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { sendMail, type MailReceiver } from '../../../../../activities/control/notify/mail.ts';
import { createRunner } from '../../../../../system/run.ts';

const MAIL = { id: 'watch-1-mail', subject: 'guestflow: nobody serves dom0 xen1', text: 'do: guestflow dom0 lost xen1\n' };
const LOGIN = { user: 'guestflow', password: 'PLANTED-password' };
const directory = mkdtempSync(join(tmpdir(), 'mail-'));
const ends: (() => void)[] = [];
let cert = '';
let key = '';

beforeAll(async () => {
  const [keyFile, certFile] = [join(directory, 'key'), join(directory, 'cert')];
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'];
  await createRunner().run('openssl', [
    ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'],
    ...[...subject, '-keyout', keyFile, '-out', certFile],
  ]);
  [key, cert] = [readFileSync(keyFile, 'utf8'), readFileSync(certFile, 'utf8')];
});
afterEach(() => {
  for (const end of ends.splice(0)) end();
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

interface Got {
  readonly text: string;
  readonly to: readonly string[];
  readonly user: string | undefined;
  readonly isSecure: boolean;
}

async function mailServer(options: SMTPServerOptions = {}): Promise<{ got: Got[]; port: number }> {
  const got: Got[] = [];
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: options.secure === true || options.key !== undefined ? [] : ['STARTTLS'],
    onAuth: ({ username, password }, _session, done) =>
      password === LOGIN.password ? done(null, { user: username ?? '' }) : done(new Error('PLANTED in the answer')),
    onData: (stream, session, done) => {
      const chunks: Buffer[] = [];
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('end', () => {
        got.push({
          text: Buffer.concat(chunks).toString('utf8'),
          to: session.envelope.rcptTo.map(({ address }) => address),
          user: session.user as string | undefined,
          isSecure: session.secure,
        });
        done();
      });
    },
    ...options,
  });
  server.on('error', () => undefined);
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve());
  });
  ends.push(() => server.close());
  return { got, port: (server.server.address() as AddressInfo).port };
}

function to(port: number, changes: Partial<MailReceiver> = {}): MailReceiver {
  return {
    host: 'localhost',
    port,
    security: 'none',
    from: 'guestflow@example.org',
    to: ['noc@example.org', 'night@example.org'],
    ...changes,
  };
}

describe('mail', () => {
  it('is handed over with subject, text and all who are told, and the same id for each attempt', async () => {
    const { got, port } = await mailServer();
    expect(await sendMail(to(port), MAIL)).toBe('the mail server localhost took it');
    await sendMail(to(port), MAIL);
    expect(got.map(({ to: who }) => who)).toEqual([
      ['noc@example.org', 'night@example.org'],
      ['noc@example.org', 'night@example.org'],
    ]);
    for (const { text } of got) expect(text).toMatch(/Message-ID: <watch-1-mail@guestflow>[^]*do: guestflow dom0 lost xen1/);
  });

  it('is sent over TLS after the greeting, with a password, to a server whose certificate is trusted', async () => {
    const { got, port } = await mailServer({ key, cert });
    await sendMail(to(port, { security: 'starttls', login: LOGIN, ca: cert }), MAIL);
    expect(got).toMatchObject([{ isSecure: true, user: 'guestflow' }]);
  });

  it('is sent over TLS from the first byte', async () => {
    const { got, port } = await mailServer({ key, cert, secure: true });
    await sendMail(to(port, { security: 'tls', ca: cert }), MAIL);
    expect(got).toHaveLength(1);
  });

  it.each<[string, SMTPServerOptions, Partial<MailReceiver>]>([
    ['offers no TLS', {}, { security: 'starttls', login: LOGIN }],
    ['has a certificate that nobody trusts', {}, { security: 'starttls', login: LOGIN }],
  ])('is not sent, nor the password, to a server that %s', async (what, options, changes) => {
    const { got, port } = await mailServer(what.includes('certificate') ? { ...options, key, cert } : options);
    await expect(sendMail(to(port, changes), MAIL)).rejects.toMatchObject({ type: 'Unreachable', nonRetryable: false });
    expect(got).toEqual([]);
  });
});

describe('a mail server that refuses', () => {
  it.each([
    [451, false],
    [421, false],
    [550, true],
    [554, true],
  ])('(by %i) is tried again: not %s; nothing of its answer is repeated', async (responseCode, isFinal) => {
    const { port } = await mailServer({
      onRcptTo: (_address, _session, done) => done(Object.assign(new Error('PLANTED in the answer'), { responseCode })),
    });
    const failure: unknown = await sendMail(to(port), MAIL).catch((error: unknown) => error);
    expect(failure).toMatchObject({ type: 'Unreachable', nonRetryable: isFinal });
    expect(String(failure)).toContain(String(responseCode));
    expect(JSON.stringify(failure, Object.getOwnPropertyNames(failure))).not.toContain('PLANTED');
  });

  it('the password is tried again, for it may be a new one soon; it is in no error', async () => {
    const { port } = await mailServer({ key, cert });
    const failure: unknown = await sendMail(
      to(port, { security: 'starttls', ca: cert, login: { ...LOGIN, password: 'PLANTED-other' } }),
      MAIL,
    ).catch((error: unknown) => error);
    expect(failure).toMatchObject({ type: 'Unreachable', nonRetryable: false });
    expect(JSON.stringify(failure, Object.getOwnPropertyNames(failure))).not.toContain('PLANTED');
  });
});

describe('a mail server that is ill', () => {
  it.each<[string, (socket: Socket) => void]>([
    ['never greets', () => undefined],
    ['hangs up', (socket) => socket.destroy()],
    ['speaks HTTP', (socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')],
    ['greets, and says no more', (socket) => socket.write('220 mail.example.org ESMTP\r\n')],
  ])('(it %s) is given up, and tried again', async (_what, serve) => {
    const sockets = new Set<Socket>();
    const server = createServer((socket) => {
      sockets.add(socket.on('error', () => undefined));
      serve(socket);
    });
    await new Promise<void>((resolve) => {
      server.listen(0, '127.0.0.1', resolve);
    });
    ends.push(() => {
      for (const socket of sockets) socket.destroy();
      server.close();
    });
    const { port } = server.address() as AddressInfo;
    await expect(sendMail(to(port), MAIL, 300)).rejects.toMatchObject({ type: 'Unreachable', nonRetryable: false });
  });

  it('(nobody is there) is tried again', async () => {
    await expect(sendMail(to(1), MAIL, 1_000)).rejects.toMatchObject({ type: 'Unreachable', nonRetryable: false });
  });
});
