import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { createRunner, ToolError } from '../../../system/run.ts';
import { unpackDeb } from '../../../lab/deb.ts';
import { explain, LabError } from '../../../lab/errors.ts';
import { labAttach, labDown, labStatus, labUp } from '../../../lab/index.ts';
import { layoutOf } from '../../../lab/layout.ts';
import { machineArguments, machineSignature } from '../../../lab/machine.ts';
import { shellQuote, writeSshConfig } from '../../../lab/ssh.ts';
import { dom0Configuration } from '../../../lab/worker.ts';

const runner = createRunner();
let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'lab-test-'));
});
afterEach(() => rm(folder, { recursive: true }));

describe('names', () => {
  test.each(['../x', 'A', '', '-a', 'a'.repeat(21), 'a b', 'a/b'])('"%s" is no name for a lab', async (name) => {
    expect(() => layoutOf({ name, stateDir: folder })).toThrow(LabError);
    await expect(labUp({ name, stateDir: folder, temporalPort: 7233 })).rejects.toMatchObject({ failure: 'bad-input' });
  });

  test('labs of two names, and of two projects, share no file and no socket', () => {
    const labs = [layoutOf({ stateDir: '/a' }), layoutOf({ stateDir: '/a', name: 'other' }), layoutOf({ stateDir: '/b' })];
    for (const key of ['home', 'run', 'qmpSocket', 'rootDisk', 'sshControl'] as const)
      expect(new Set(labs.map((lab) => lab[key])).size).toBe(3);
  });

  test('sockets have names that a socket can have, however deep the project is', () => {
    const { qmpSocket, sshControl } = layoutOf({ stateDir: `/${'deep/'.repeat(60)}` });
    // ssh adds a suffix of 17 characters while it makes its own.
    for (const socket of [qmpSocket, sshControl]) expect(socket.length).toBeLessThan(90);
  });
});

describe('the machine', () => {
  const files = { ...layoutOf({ stateDir: '/state' }), base: '/cache/base', accel: 'tcg' as const, sshPort: 2222 };

  test('has a closed network: ssh in, Temporal out, nothing else', () => {
    const network = machineArguments(files, false).find((argument) => argument.startsWith('user,')) ?? '';
    expect(network).toContain('restrict=on');
    expect(network.match(/hostfwd=/g)).toHaveLength(1);
    expect(network).toContain('hostfwd=tcp:127.0.0.1:2222-:22');
    expect(network.match(/guestfwd=/g)).toHaveLength(1);
  });

  test('waits for a saved memory only when it is given one', () => {
    expect(machineArguments(files, true)).toContain('-incoming');
    expect(machineArguments(files, false)).not.toContain('-incoming');
  });

  test('a comma in a path does not become an option', () => {
    expect(machineArguments({ ...files, rootDisk: '/a,readonly=on/root' }, false).join(' ')).toContain('file=/a,,readonly=on/root,');
  });

  test('a state saved by another QEMU, or on another processor, does not fit', () => {
    expect(new Set([machineSignature('tcg', '7.2'), machineSignature('kvm', '7.2'), machineSignature('tcg', '8.0')]).size).toBe(3);
  });
});

describe('the way in', () => {
  test('words reach the command as they are, through a shell', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.string({ unit: 'grapheme' }).filter((word) => !word.includes('\0')),
        async (word) => {
          const { stdout } = await runner.run('sh', ['-c', `printf %s ${shellQuote(word)}`]);
          expect(stdout).toBe(Buffer.from(word).toString('utf8'));
        },
      ),
      { numRuns: 40 },
    );
  });

  test("ssh knows the dom0's key, and no other", async () => {
    await writeFile(path.join(folder, 'known_host'), 'dom0 ssh-ed25519 AAAA\n');
    const layout = {
      ...layoutOf({ stateDir: folder }),
      sshConfig: path.join(folder, 'ssh_config'),
      knownHosts: path.join(folder, 'known_hosts'),
    };
    await writeSshConfig(layout, folder, 2222);
    const { stdout } = await runner.run('ssh', ['-G', '-F', layout.sshConfig, 'dom0']);
    expect(stdout).toContain('stricthostkeychecking true');
    expect(stdout).toContain(`userknownhostsfile ${layout.knownHosts}`);
    expect(stdout).toContain('hostkeyalias dom0');
    expect(await readFile(layout.knownHosts, 'utf8')).toBe('dom0 ssh-ed25519 AAAA\n');
  });
});

describe('a lab that is not there', () => {
  test('is absent, and is not attached to', async () => {
    expect(await labStatus({ stateDir: folder })).toEqual({ name: 'lab', state: 'absent' });
    await expect(labAttach({ stateDir: folder })).rejects.toThrow('the lab is not running: start it with `guestflow lab up`');
  });

  test('is down already', async () => {
    await expect(labDown({ stateDir: folder })).resolves.toBeUndefined();
  });
});

test("dom0's configuration is YAML with the names that the worker reads", () => {
  expect(parse(dom0Configuration('dom0-a', '6.1.0-1-amd64'))).toMatchObject({
    host: 'dom0-a',
    volumeGroup: 'vg01',
    bridge: 'xenbr0',
    network: { cidr: '192.168.77.0/24', gateway: '192.168.77.1' },
    kernel: '/boot/vmlinux-6.1.0-1-amd64',
    initrd: '/boot/initrd.img-6.1.0-1-amd64',
    modules: '/srv/guestflow/modules/6.1.0-1-amd64',
    goldenDir: '/var/lib/guestflow/golden',
  });
});

test('a package rewritten without compression is the same package to dpkg', async () => {
  const tree = path.join(folder, 'tree/DEBIAN');
  await runner.run('mkdir', ['-p', tree]);
  await writeFile(
    path.join(tree, 'control'),
    'Package: probe\nVersion: 1\nArchitecture: all\nMaintainer: nobody <nobody@example.org>\nDescription: probe\n',
  );
  await writeFile(path.join(folder, 'tree/odd'), 'odd');
  await runner.run('dpkg-deb', ['-Zxz', '-b', path.join(folder, 'tree'), path.join(folder, 'a.deb')]);
  await unpackDeb(runner, path.join(folder, 'a.deb'), path.join(folder, 'b.deb'));
  for (const verb of ['--field', '--contents']) {
    const [before, after] = await Promise.all(['a.deb', 'b.deb'].map((file) => runner.run('dpkg-deb', [verb, path.join(folder, file)])));
    expect(after?.stdout).toBe(before?.stdout);
  }
});

describe('what went wrong', () => {
  test('a full disk is named as such, with the folder', () => {
    const error = explain('building the lab', '/cache', new Error('mke2fs: No space left on device'), undefined);
    expect(error).toMatchObject({ failure: 'disk-full' });
    expect(error.message).toContain('/cache');
  });

  test('a full disk is found in all that a tool said, not only in its last words', () => {
    const stderr = `dpkg: cannot copy: No space left on device\n${'later\n'.repeat(20)}`;
    const error = new ToolError({
      tool: 'mmdebstrap',
      args: [],
      message: 'mmdebstrap ended with exit code 25',
      code: 25,
      stdout: '',
      stderr,
      timedOut: false,
      cancelled: false,
      notFound: false,
    });
    expect(explain('building the lab', '/cache', error, undefined)).toMatchObject({ failure: 'disk-full' });
  });

  test("a tool's complaints are told without the long command lines among them", () => {
    const stderr = `I: working\nE: Unable to locate package nonesuch\nE: setup failed: ${'x'.repeat(400)}\n`;
    const error = new ToolError({
      tool: 'mmdebstrap',
      args: [],
      message: stderr,
      code: 25,
      stdout: '',
      stderr,
      timedOut: false,
      cancelled: false,
      notFound: false,
    });
    expect(explain('building the lab', '/cache', error, undefined).message).toBe(
      'building the lab failed: mmdebstrap: E: Unable to locate package nonesuch',
    );
  });

  test('an interruption is not a failure', () => {
    expect(explain('building the lab', '/cache', new Error('x'), AbortSignal.abort())).toMatchObject({ failure: 'cancelled' });
  });

  test('a message for the person at the terminal is not wrapped again', () => {
    const error = new LabError('requirements', 'too little memory');
    expect(explain('building the lab', '/cache', error, undefined)).toBe(error);
  });
});
