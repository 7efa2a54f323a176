/** Webhooks that go out: signed, to where they may go. */
import { createServer, type IncomingMessage } from 'node:http';
import { createServer as createTcpServer, type AddressInfo, type Socket } from 'node:net';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Webhook } from 'standardwebhooks';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import type { Notification } from '../../../../../contract/billing.ts';
import { createMessenger, type Receiver } from '../../../../../activities/control/notify/messenger.ts';
import { addressOf, isPublic } from '../../../../../activities/control/notify/public-address.ts';
import { loadNotify, type NotifySettings } from '../../../../../activities/control/notify/receiver.ts';
import { SIGNUP_SECRET } from '../../../gateway/bench.ts';

const NEXT_SECRET = `whsec_${Buffer.from('the secret that follows it').toString('base64')}`;
const NOTIFICATION: Notification = {
  id: 'A-1.0',
  type: 'guest.running',
  timestamp: '2026-01-01T00:00:00.000Z',
  data: { order: 'A-1', guest: 'g-a-1', ip: '192.0.2.10' },
};

interface Got {
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

const ends: (() => void)[] = [];
afterEach(() => {
  for (const end of ends.splice(0)) end();
});

async function receiver(status: number, headers: Record<string, string> = {}): Promise<{ got: Got[]; port: number }> {
  const got: Got[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request
      .on('data', (chunk: Buffer) => chunks.push(chunk))
      .on('end', () => {
        got.push({ headers: request.headers, body: Buffer.concat(chunks).toString('utf8') });
        response.writeHead(status, headers).end('planted in the answer');
      });
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  ends.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return { got, port: (server.address() as AddressInfo).port };
}

function to(port: number, changes: Partial<Receiver> = {}): Receiver {
  return {
    url: new URL(`http://receiver.example:${port}/hook`),
    secrets: [SIGNUP_SECRET],
    allowPrivate: true,
    resolve: () => Promise.resolve([{ address: '127.0.0.1', family: 4 }]),
    ...changes,
  };
}

describe('a webhook that goes out', () => {
  it('is signed as Standard Webhooks, with each secret, and names its receiver', async () => {
    const { got, port } = await receiver(204);
    await createMessenger(to(port, { secrets: [NEXT_SECRET, SIGNUP_SECRET] }))(NOTIFICATION);
    const [{ headers, body } = { headers: {}, body: '' }] = got;
    for (const secret of [SIGNUP_SECRET, NEXT_SECRET]) {
      expect(new Webhook(secret).verify(body, headers as Record<string, string>)).toEqual({
        type: 'guest.running',
        timestamp: NOTIFICATION.timestamp,
        data: NOTIFICATION.data,
      });
    }
    expect(headers).toMatchObject({ 'webhook-id': 'A-1.0', host: `receiver.example:${port}` });
  });

  it.each([[500], [404], [429]])('is tried again when the answer is %i, and repeats nothing of it', async (status) => {
    const { port } = await receiver(status);
    const failure = await createMessenger(to(port))(NOTIFICATION).catch((error: unknown) => error);
    expect(failure).toMatchObject({ type: 'Unreachable', nonRetryable: false });
    expect(String(failure)).not.toContain('planted');
  });

  it('is not tried again when the receiver wants no more of it', async () => {
    const { port } = await receiver(410);
    await expect(createMessenger(to(port))(NOTIFICATION)).rejects.toMatchObject({ nonRetryable: true });
  });

  it('follows no redirection', async () => {
    const other = await receiver(200);
    const { port } = await receiver(307, { location: `http://127.0.0.1:${other.port}/` });
    await expect(createMessenger(to(port))(NOTIFICATION)).rejects.toMatchObject({ type: 'Unreachable' });
    expect(other.got).toEqual([]);
  });

  it('goes to the address that was checked, whatever the name means at the next look-up', async () => {
    const { got, port } = await receiver(200);
    let lookups = 0;
    const rebinding = createMessenger(
      to(port, { resolve: () => Promise.resolve([{ address: (lookups += 1) === 1 ? '127.0.0.1' : '203.0.113.1', family: 4 }]) }),
    );
    await rebinding(NOTIFICATION);
    expect([lookups, got.length]).toEqual([1, 1]);
  });

  it('is tried again when nobody is there', async () => {
    await expect(createMessenger(to(1))(NOTIFICATION)).rejects.toMatchObject({ type: 'Unreachable', nonRetryable: false });
  });

  it('does not go to a private address unless that is allowed', async () => {
    const { got, port } = await receiver(200);
    await expect(createMessenger(to(port, { allowPrivate: false }))(NOTIFICATION)).rejects.toMatchObject({ type: 'InvalidInput' });
    expect(got).toEqual([]);
  });
});

describe('a receiver that is hostile or ill', () => {
  /** One that does as it likes with the connection. */
  async function raw(serve: (socket: Socket) => void): Promise<number> {
    const server = createTcpServer((socket) => {
      socket.on('error', () => undefined);
      serve(socket);
    });
    await new Promise<void>((resolve) => {
      server.listen(0, '127.0.0.1', resolve);
    });
    const sockets = new Set<Socket>();
    server.on('connection', (socket) => sockets.add(socket));
    ends.push(() => {
      for (const socket of sockets) socket.destroy();
      server.close();
    });
    return (server.address() as AddressInfo).port;
  }

  /** Writes again and again until the other side hangs up. */
  function drip(socket: Socket, text: string): void {
    const timer = setInterval(() => socket.write(text), 5);
    socket.on('close', () => clearInterval(timer));
  }

  it.each<[string, (socket: Socket) => void]>([
    ['never answers', () => undefined],
    [
      'drips its headers',
      (socket) =>
        drip(
          socket.on('data', () => undefined),
          'HTTP/1.1 200 OK\r\nX: y',
        ),
    ],
    ['says that it goes on, again and again', (socket) => drip(socket, 'HTTP/1.1 102 Processing\r\n\r\n')],
    ['sends headers without end', (socket) => drip(socket, `HTTP/1.1 200 OK\r\n${'X: y\r\n'.repeat(5_000)}`)],
    ['speaks something else', (socket) => socket.end('220 mail.example.org ESMTP\r\n')],
    ['hangs up', (socket) => socket.destroy()],
  ])('(it %s) is given up, and tried again', async (_what, serve) => {
    const port = await raw(serve);
    await expect(createMessenger(to(port), 300)(NOTIFICATION)).rejects.toMatchObject({ type: 'Unreachable', nonRetryable: false });
  });

  it('(it answers without end) is left as soon as its status is known', async () => {
    let closed = (): void => undefined;
    const left = new Promise<void>((resolve) => {
      closed = resolve;
    });
    const port = await raw((socket) => {
      socket.on('close', closed).on('data', () => undefined);
      socket.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n');
      drip(socket, `400\r\n${'x'.repeat(1_024)}\r\n`);
    });
    expect(await createMessenger(to(port))(NOTIFICATION)).toBe('the receiver answered 200');
    await left;
  });

  it('(its name is never found) is given up, and tried again', async () => {
    const messenger = createMessenger(to(1, { resolve: () => new Promise(() => undefined) }), 50);
    await expect(messenger(NOTIFICATION)).rejects.toMatchObject({ type: 'Unreachable', nonRetryable: false });
  });

  it.each([
    ['http://2130706433'],
    ['http://0x7f.1'],
    ['http://0177.0.0.1'],
    ['http://[::ffff:127.0.0.1]'],
    ['http://[::1]'],
    ['http://localhost'],
  ])('(its address is %s, another way to say this machine) gets nothing', async (address) => {
    const { got, port } = await receiver(200);
    const messenger = createMessenger({ url: new URL(`${address}:${port}/`), secrets: [SIGNUP_SECRET], allowPrivate: false });
    await expect(messenger(NOTIFICATION)).rejects.toMatchObject({ type: 'InvalidInput' });
    expect(got).toEqual([]);
  });

  it('repeats neither its address’s path nor our secret when it fails', async () => {
    const failure = await createMessenger(to(1, { url: new URL('http://receiver.example:1/hook/PLANTED?token=PLANTED') }))(
      NOTIFICATION,
    ).catch((error: unknown) => JSON.stringify(error, Object.getOwnPropertyNames(error)));
    expect(failure).toContain('receiver.example');
    expect(failure).not.toMatch(/PLANTED|whsec_/);
  });
});

describe('a public address', () => {
  it.each([['8.8.8.8'], ['2606:4700::1111'], ['::ffff:8.8.8.8']])('%s is one', (address) => {
    expect(isPublic(address)).toBe(true);
  });

  it.each([
    ['127.0.0.1'],
    ['127.8.8.8'],
    ['10.0.0.1'],
    ['172.16.0.1'],
    ['192.168.1.1'],
    ['169.254.169.254'],
    ['100.64.0.1'],
    ['0.0.0.0'],
    ['224.0.0.1'],
    ['255.255.255.255'],
    ['192.0.2.1'],
    ['::1'],
    ['::'],
    ['fe80::1'],
    ['fd00::1'],
    ['ff02::1'],
    ['::ffff:10.0.0.1'],
    ['::ffff:a00:1'],
    ['64:ff9b::a00:1'],
    ['2002:a00:1::'],
    ['2001:db8::1'],
    ['not an address'],
    ['0x7f.1'],
  ])('%s is none', (address) => {
    expect(isPublic(address)).toBe(false);
  });

  it('is taken where a name has several', async () => {
    expect(
      await addressOf('x.example', false, () =>
        Promise.resolve([
          { address: '10.0.0.1', family: 4 },
          { address: '8.8.8.8', family: 4 },
        ]),
      ),
    ).toEqual({ address: '8.8.8.8', family: 4 });
    await expect(addressOf('x.example', false, () => Promise.resolve([{ address: '10.0.0.1', family: 4 }]))).rejects.toMatchObject({
      type: 'InvalidInput',
    });
    await expect(addressOf('x.example', true, () => Promise.resolve([]))).rejects.toMatchObject({ type: 'Unreachable' });
  });
});

describe('notify.yaml', () => {
  const directory = mkdtempSync(join(tmpdir(), 'notify-'));
  afterAll(() => rmSync(directory, { recursive: true, force: true }));
  writeFileSync(join(directory, 'secret'), SIGNUP_SECRET, { mode: 0o600 });
  const load = (text: string): Promise<NotifySettings> => {
    writeFileSync(join(directory, 'notify.yaml'), text);
    return loadNotify(join(directory, 'notify.yaml'), { CREDENTIALS_DIRECTORY: directory });
  };

  it('names the receiver, and its secret by a credential', async () => {
    expect(await load('url: https://billing.example.org/hook\nsecretFile: secret\n')).toMatchObject({
      receiver: { allowPrivate: false, secrets: [SIGNUP_SECRET] },
      operators: { channels: [] },
    });
  });

  const OPERATORS = 'operators:\n  mail: { host: mail.example.org, from: guestflow@example.org, to: [noc@example.org]';

  it('names the operators who are told by mail, by webhook, or both, with or without a receiver of billing', async () => {
    writeFileSync(join(directory, 'login'), 'user: guestflow\npassword: PLANTED\n', { mode: 0o600 });
    const { receiver, operators } = await load(
      `${OPERATORS}, credentialsFile: login }\n  webhook: { url: "https://chat.example.org/", secretFile: secret }\n  dom0SilentMinutes: 10\n`,
    );
    expect(receiver).toBeUndefined();
    expect(operators).toMatchObject({ channels: ['mail', 'webhook'], silentMs: 600_000 });
    expect((await load(`url: https://billing.example.org/\nsecretFile: secret\n${OPERATORS} }\n`)).operators.channels).toEqual(['mail']);
  });

  it('repeats nothing of a file of credentials that is not good, and refuses one that everybody can read', async () => {
    writeFileSync(join(directory, 'login'), 'user: guestflow\npasswort: PLANTED\n', { mode: 0o600 });
    const failure: unknown = await load(`${OPERATORS}, credentialsFile: login }\n`).catch((error: unknown) => error);
    expect(failure).toMatchObject({ type: 'InvalidInput', message: expect.stringContaining('user and password') as unknown });
    expect(JSON.stringify(failure) + String(failure)).not.toContain('PLANTED');
    writeFileSync(join(directory, 'open'), 'user: a\npassword: b\n');
    chmodSync(join(directory, 'open'), 0o644);
    await expect(load(`${OPERATORS}, credentialsFile: open }\n`)).rejects.toMatchObject({
      message: expect.stringContaining('everybody') as unknown,
    });
  });

  it.each([
    [`${OPERATORS}, security: none, credentialsFile: login }\n`, 'in the open'],
    [`${OPERATORS}, security: ssl }\n`, 'security'],
    [`${OPERATORS}, port: 70000 }\n`, 'port'],
    ['operators:\n  mail: { host: mail.example.org, from: "a@example.org\\nBcc: b@example.org", to: [noc@example.org] }\n', 'from'],
    ['operators:\n  mail: { host: mail.example.org, from: guestflow@example.org, to: [] }\n', 'to'],
    ['operators:\n  webhook: { url: "https://10.0.0.1/", secretFile: secret }\n', 'no public address'],
    ['operators:\n  dom0SilentMinutes: 0\n', 'dom0SilentMinutes'],
    ['operators:\n  pager: yes\n', 'pager'],
    ['url: http://billing.example.org/\nsecretFile: secret\n', 'https'],
    ['url: https://10.0.0.1/\nsecretFile: secret\n', 'no public address'],
    ['url: https://[::1]/\nsecretFile: secret\n', 'no public address'],
    ['url: https://0x7f000001/\nsecretFile: secret\n', 'no public address'],
    ['url: https://user:word@billing.example.org/\nsecretFile: secret\n', 'password'],
    ['url: file:///etc/passwd\nsecretFile: secret\n', 'https'],
    ['url: https://billing.example.org/\n', 'secretFile'],
  ])('is refused: %j', async (text, reason) => {
    await expect(load(text)).rejects.toMatchObject({ type: 'InvalidInput', message: expect.stringContaining(reason) as unknown });
  });
});
