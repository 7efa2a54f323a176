import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { errorOf, run } from './run.ts';

let folder: string;
const file = (name: string, content: string | Uint8Array): string => {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
};

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'guestflow-cli-'));
  // Whoever runs the tests may have a Temporal of their own.
  delete process.env['TEMPORAL_ADDRESS'];
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

/** Nothing serves here: port 1 of this machine. */
const NOWHERE = ['--address', '127.0.0.1:1'];

const LAMBDA = 'arn:aws:lambda:eu-west-1:123456789012:function:guestflow-control';
const ROLE = ['--role', 'arn:aws:iam::123456789012:role/temporal', '--external-id', 'example'];

describe('what the command line cannot understand ends with 2 and one message', () => {
  it.each([
    [['provsion'], /did you mean provision/],
    [['provision', '--fo'], /unknown option '--fo'/],
    [['list', '--jso'], /did you mean --json/],
    [['provision', 'a', 'b'], /too many arguments/],
    [['show'], /missing required argument 'NAME'/],
    [['provision', 'a', '--ip'], /argument missing/],
    [['provision', 'a', '--on-interrupt', 'perhaps'], /leave, cancel/],
    [['dom0', 'chek', 'xen1'], /did you mean check/],
    [['worker', 'other'], /unknown command/],
    [['console', 'a', '--lines', 'many', ...NOWHERE], /whole number/],
    [['network', 'add', '192.0.2.0/24'], /required option '--gateway <IP>'/],
    [['network', 'add', '192.0.2.0/24', '--gateway', '192.0.2.1', '--dom0', 'xen1', ...NOWHERE], /--dom0 "xen1" must be HOST:BRIDGE/],
    [['network', 'add', '192.0.2.0/24', '--gateway', '192.0.2.1', '--quarantine', 'long', ...NOWHERE], /whole minutes, from 0 to 10080/],
    [['dom0', 'drain'], /missing required argument 'HOST'/],
    [['resize', 'web1', ...NOWHERE], /required option '--disk <SIZE>'/],
    [['resize', 'web1', '--disk', '20', ...NOWHERE], /--disk "20" has no unit: write "20MiB"/],
    [['resize', 'web1', '--disk', '1025MiB', ...NOWHERE], /is no multiple of 4 MiB/],
    [['resize', 'web1', '--disk', '2GiB', '--live', '--offline', ...NOWHERE], /--live does not go with --offline/],
    [['backups', 'web1', '--protect', 'a', '--unprotect', 'a', ...NOWHERE], /--unprotect does not go with --protect/],
    [['backups', 'web1', '--prune', '--protect', 'a', ...NOWHERE], /--protect does not go with --prune/],
    [['dom0', 'lost', 'xen1', ...NOWHERE], /would be given up for good, and nobody is there to ask/],
    [['restore', 'web1', '--dom0', 'xen2', '--repository', '/mnt/copy', ...NOWHERE], /--dom0 does not go with --repository/],
    [['restore', 'web1', '--as', 'web2', '--dom0', 'Xen 2', ...NOWHERE], /dom0 "Xen 2" /],
    [['serverless', 'roll-out', ...NOWHERE], /--function is missing/],
    [['serverless', 'roll-out', '--function', 'f', ...ROLE, ...NOWHERE], /--function "f" is no ARN of a function/],
    [['serverless', 'roll-out', '--function', LAMBDA, ...ROLE, ...NOWHERE], /names no published version/],
    [['serverless', 'roll-out', '--function', `${LAMBDA}:7`, ...ROLE, ...NOWHERE], /--build-id is missing/],
    [['serverless', 'plan', '--package', '/dev/null', '--function', `${LAMBDA}:7`, ...ROLE, ...NOWHERE], /is no package of a function/],
    [['serverless', 'plan', '--package', '/nowhere', '--function', `${LAMBDA}:7`, ...ROLE, ...NOWHERE], /cannot be read: ENOENT/],
    [['terminate', 'web1', '--now', ...NOWHERE], /nobody is there to ask/],
  ])('%j', async (argv, reason) => {
    const { code, stdout, stderr } = await run(argv);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(reason);
    expect(stderr).not.toMatch(/\n\s+at /);
    expect(stderr.split('\n').filter((line) => line.startsWith('guestflow:'))).toHaveLength(1);
  });

  it('as JSON, when JSON was asked for', async () => {
    const unknown = await run(['show', 'a', '--colour', '--json']);
    expect(unknown.code).toBe(2);
    expect(errorOf(unknown)).toMatchObject({ type: 'InvalidInput', message: expect.stringContaining('--colour') as unknown });
  });

  it('top that is to go on for ever as one document', async () => {
    expect(errorOf(await run(['top', '--watch', '--json', ...NOWHERE]))).toMatchObject({ type: 'InvalidInput', field: 'watch' });
  });

  it('but --json behind -- is an argument', async () => {
    expect((await run(['show', '--', '--json', 'b'])).stderr).toMatch(/^guestflow: too many arguments/);
  });
});

describe('an order that cannot be done ends with 2 before anything is connected', () => {
  it.each([
    [['../x'], 'name'],
    [['a', '--plan', 'huge'], 'plan'],
    [['a', '--ip', '10.0.0.256'], 'ip'],
    [['a', '--memory', '512'], 'memory'],
    [['a', '--vcpus', 'two'], 'vcpus'],
    [['a', '--vcpus', '0'], 'vcpus'],
    [['a', '--dist', 'lenny'], 'dist'],
    [['a', '--extra', 'a"b'], 'extra[0]'],
    [['a', '--ip', '10.0.0.0', '--netmask', '255.255.255.0'], 'ip'],
    [['a', '--timezone', 'Mars/Phobos'], 'timezone'],
    [['a', '--order', '../x'], 'order'],
    [['a', '--dom0', 'XEN'], 'dom0'],
    [[], 'name'],
    [['a', '--ssh-key', '/nonexistent'], 'sshKeys'],
    [['a', '--file', 'x.yaml'], 'file'],
    [['a', '--facts', 'x.json'], 'facts'],
    [['a', '--plans', '/nonexistent'], 'plans'],
  ])('provision %j', async (argv, field) => {
    const refused = await run(['provision', ...argv, '--json', ...NOWHERE]);
    expect(refused.code).toBe(2);
    expect(errorOf(refused)).toMatchObject({ type: 'InvalidInput', field });
  });

  it.each([
    ['name: a\nname: b\n', /line 2, column 1/],
    ['name: [a\n', /line 2, column 1/],
    ['name: a\nfoo: 1\n', /foo is no key/],
    ['', /empty/],
    ['!!js/undefined ""', /tag/],
  ])('provision --file with %j', async (text, reason) => {
    const refused = await run(['provision', '--file', file('order.yaml', text), ...NOWHERE]);
    expect(refused.code).toBe(2);
    expect(refused.stderr).toMatch(reason);
    expect((await run(['provision', '--file', '-', ...NOWHERE], { input: text })).stderr).toMatch(reason);
  });

  it('provision --file of what is no file, too long, or mixed with flags', async () => {
    expect((await run(['provision', '--file', folder])).stderr).toMatch(/is a directory/);
    expect((await run(['provision', '--file', join(folder, 'none')])).stderr).toMatch(/cannot be read/);
    expect((await run(['provision', '--file', file('long.yaml', 'x'.repeat(300_000))])).stderr).toMatch(/256 KiB/);
    const mixed = await run(['provision', '--file', file('good.yaml', 'name: a'), '--ip', '10.0.0.1', '--json']);
    expect(errorOf(mixed)).toMatchObject({ field: 'ip', message: expect.stringMatching(/not both/) as unknown });
  });

  it.each([
    ['rfc4716', '---- BEGIN SSH2 PUBLIC KEY ----\nComment: "me"\nAAAA\n---- END SSH2 PUBLIC KEY ----\n', /RFC 4716/],
    ['pem', '-----BEGIN PUBLIC KEY-----\nMCow\n-----END PUBLIC KEY-----\n', /PEM/],
    ['ppk', 'PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none\nPublic-Lines: 2\n', /PuTTY/],
    ['utf16', Buffer.from('ssh-ed25519 AAAA', 'utf16le'), /UTF-16/],
  ])('a key in another format given as --ssh-key (%s) is refused once, with what to do', async (name, content, reason) => {
    const path = join(folder, name);
    writeFileSync(path, content);
    const refused = await run(['provision', 'a', '--ssh-key', path, '--check', '--json']);
    expect(refused.code).toBe(2);
    expect(errorOf(refused)).toMatchObject({ field: 'sshKeys', message: expect.stringMatching(reason) as unknown });
    expect(errorOf(refused).message).not.toMatch(/problems/);
  });

  it('a key whose comment speaks of a private key is taken', async () => {
    const key = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ35rv5PUXA7JvnmdviGpq2anW48xUy4Rs1jNFAQrwme for my PRIVATE KEY';
    expect((await run(['provision', 'a', '--ssh-key', file('private.pub', key), '--check'])).code).toBe(0);
  });

  it('a private key given as --ssh-key is refused, and none of it shown', async () => {
    const refused = await run(['provision', 'a', '--ssh-key', file('id', '-----BEGIN OPENSSH PRIVATE KEY-----\nc2VjcmV0\n'), '--check']);
    expect(refused.code).toBe(2);
    expect(refused.stderr).toMatch(/private key/);
    expect(refused.stderr).not.toContain('c2VjcmV0');
  });

  it.each([
    ['', /empty/],
    ['x'.repeat(300), /longer/],
    ['a\u0007b\n', /control/],
  ])('a password that is none (%j)', async (input, reason) => {
    const refused = await run(['provision', 'a', '--password-stdin', '--check'], { input });
    expect(refused.code).toBe(2);
    expect(refused.stderr).toMatch(reason);
  });
});

describe('a password for a guest', () => {
  it.each([
    ['', /the password is empty/],
    ['x'.repeat(300), /is longer than 256 bytes/],
    ['a\u0007b\n', /has control characters/],
  ])('that is none (%j) is refused before anything is asked, and not repeated', async (input, reason) => {
    const refused = await run(['set-password', 'web1', ...NOWHERE], { input });
    expect(refused.code).toBe(2);
    expect(refused.stderr).toMatch(reason);
    if (input !== '') expect(refused.stderr).not.toContain(input.slice(0, 3));
  });

  it('is taken from no argument', async () => {
    const refused = await run(['set-password', 'web1', 'hunter2', ...NOWHERE], { input: '' });
    expect(refused.code).toBe(2);
  });

  it('that was made is not shown when it was not set', async () => {
    const refused = await run(['set-password', 'web1', '--generate', ...NOWHERE], { input: '' });
    expect(refused).toMatchObject({ code: 5, stdout: '' });
    expect(refused.stderr).not.toMatch(/[A-Za-z2-9]{24}/);
  });
});

describe('keys for a guest', () => {
  it.each([
    [[], /say which keys root is to have \(--ssh-key FILE\), or that it is to have none \(--none\)/],
    [['--none', '--ssh-key', '/etc/hostname'], /say which keys root is to have/],
    [['--ssh-key', '/no/such/file'], /the SSH key \/no\/such\/file cannot be read/],
    [['--ssh-key', '/etc/hostname'], /sshKeys\[0\] must start with the key's type/],
    [['--ssh-key', '/dev/null'], /\/dev\/null holds no SSH key/],
  ])('that are none (%j) are refused before anything is asked', async (options, reason) => {
    const refused = await run(['set-keys', 'web1', ...options, ...NOWHERE], { input: '' });
    expect(refused.code).toBe(2);
    expect(refused.stderr).toMatch(reason);
  });
});

describe('a new system for a guest', () => {
  it.each([
    [['--recipe', 'how-to'], /recipe "how-to" must be direct, or left out: .*how-to starts from an image, and is for new guests/],
    [['--dist', 'warty'], /dist "warty" is no distribution that guestflow knows: bookworm, /],
    [['--ssh-key', '/dev/null'], /\/dev\/null holds no SSH key/],
  ])('that cannot be (%j) is refused before anything is asked, with the field, the value and what to do', async (options, reason) => {
    const refused = await run(['reinstall', 'web1', ...options, ...NOWHERE], { input: '' });
    expect(refused.code).toBe(2);
    expect(refused.stderr).toMatch(reason);
  });
});

describe('a host name for a guest', () => {
  it.each(['-', 'a_b', '10.0.0.1', 'a..b', 'x'.repeat(64)])('that is none (%j) is refused before anything is asked', async (hostname) => {
    const refused = await run(['set-hostname', 'web1', ...NOWHERE, '--', hostname], { input: '' });
    expect(refused).toMatchObject({ code: 2 });
    expect(refused.stderr).toMatch(/the host name ".*" is no host name/);
  });
});

describe('what cannot be reached ends with 5 and says what to do', () => {
  it.each([
    ['list'],
    ['show', 'a'],
    ['provision', 'a', '--dom0', 'xen1'],
    ['start', 'a'],
    ['dom0', 'check', 'xen1'],
    ['top'],
    ['backup', 'a'],
    ['cancel', 'a'],
  ])('guestflow %s', async (...argv) => {
    const refused = await run([...argv, ...NOWHERE, '--json']);
    expect(refused.code).toBe(5);
    expect(errorOf(refused)).toMatchObject({
      type: 'Unreachable',
      message: expect.stringContaining('127.0.0.1:1') as unknown,
      mend: expect.stringContaining('guestflow up') as unknown,
    });
  });

  it('no Temporal is known: the state directory that was looked into is named', async () => {
    const refused = await run(['list', '--state-dir', folder]);
    expect(refused.code).toBe(5);
    expect(refused.stderr).toContain(folder);
  });
});

describe('terminate --now takes all data, and', () => {
  it('does nothing when another name is typed', async () => {
    const { code, stderr } = await run(['terminate', 'web1', '--now', ...NOWHERE], { input: 'web2\n', isTTY: true });
    expect(stderr).toContain('that is not web1: nothing was done');
    expect(code).not.toBe(0);
  });

  it.each([
    ['goes on when its name is typed', [], 'web1\n'],
    ['asks nobody with --yes', ['--yes'], ''],
  ])('%s', async (_what, flags, input) => {
    const { code, stderr } = await run(['terminate', 'web1', '--now', ...flags, ...NOWHERE], { input, isTTY: true });
    expect(code).toBe(5);
    expect(stderr).toContain('Temporal does not answer');
  });

  it('asks nobody where a program reads, and says which flag answers', async () => {
    expect(errorOf(await run(['terminate', 'web1', '--now', '--json', ...NOWHERE], { isTTY: true }))).toMatchObject({
      type: 'InvalidInput',
      field: 'now',
    });
  });
});
