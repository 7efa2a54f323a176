import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { guestRun, hostKeyAnswers, knownHostsLine, makeKey } from '../../../../../activities/dom0/tools/guest-ssh.ts';
import { createVolume, removeVolume } from '../../../../../activities/dom0/storage/lvm/lvm.ts';
import { listVolumes } from '../../../../../activities/dom0/storage/lvm/reports.ts';
import { whoAnswers } from '../../../../../activities/dom0/tools/net.ts';
import {
  awaitGone,
  consoleTail,
  destroyDomain,
  findDomain,
  hostInfo,
  listDomains,
  pauseDomain,
  shutdownDomain,
  unpauseDomain,
} from '../../../../../activities/dom0/toolstack/xl/xl.ts';
import { createDomain } from '../../../../../activities/dom0/toolstack/xl/xl-create.ts';
import { enableAutostart } from '../../../../../activities/dom0/steps/autostart.ts';
import { HELLO_SCRIPT } from '../../../../../activities/dom0/guests/scripts.ts';
import { preflight } from '../../../../../activities/dom0/steps/preflight.ts';
import type { FakeDom0, FakeDom0Options, FakeHost } from '../../../../../fake/index.ts';
import { fakeDom0, NETWORK, settings, spec, stepEnv } from './support.ts';

const KERNEL = '6.1.0-49-amd64';
const HOST_KEY = `ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI${'B'.repeat(43)}`;
let dom0: FakeDom0;
let host: FakeHost;

async function begin(options: Partial<FakeDom0Options> = {}): Promise<void> {
  dom0 = await fakeDom0(options);
  host = dom0.host();
}
beforeEach(() => begin());
afterEach(() => {
  dom0.close();
});

/** A disk image with a guest in it, and a key that opens it. */
async function guestImage(name: string, ip: string, path = `/home/xen/${name}.img`): Promise<string> {
  const key = await makeKey(host, `/var/lib/guestflow/${name}-key`, `guestflow-provision-${name}`);
  dom0.machine.makeImage(path, 2 ** 30, {
    residue: [],
    fs: {
      uuid: `u-${name}`,
      type: 'ext4',
      bytes: 2 ** 30,
      usedBytes: 2 ** 28,
      features: [],
      label: name,
      journal: {},
      needsRecovery: false,
      damaged: false,
      files: {
        '/etc/network/interfaces': `iface eth0 inet static\n address ${ip}\n`,
        '/root/.ssh/authorized_keys': `${key}\n`,
        '/etc/ssh/ssh_host_ed25519_key.pub': `${HOST_KEY} root@${name}\n`,
      },
    },
  });
  await host.files.writeAtomic(`/var/lib/guestflow/${name}-known`, knownHostsLine(ip, HOST_KEY));
  return path;
}

async function cfg(name: string, disk: string, more = ''): Promise<string> {
  const path = `/etc/xen/${name}.cfg`;
  await host.files.writeAtomic(
    path,
    `name = '${name}'\nkernel = '/boot/vmlinuz-${KERNEL}'\nmemory = 512\nvcpus = 1\nroot = '/dev/xvda2 ro'\ndisk = ['${disk},xvda2,w']\nvif = ['bridge=xenbr0']\non_crash = 'destroy'\n${more}`,
  );
  return path;
}

const hello = (name: string, ip: string): Promise<{ stdout: string }> =>
  guestRun(host, { ip, keyPath: `/var/lib/guestflow/${name}-key`, knownHosts: `/var/lib/guestflow/${name}-known`, command: HELLO_SCRIPT });

describe('a guest', () => {
  test('answers from the disk that its cfg names, takes memory, and frees all when it is gone', async () => {
    const path = await cfg('g', `file:${await guestImage('g', '10.0.0.9')}`);
    const before = (await hostInfo(host)).freeMemoryMiB;
    await createDomain(host, path);
    expect((await hello('g', '10.0.0.9')).stdout).toMatch(new RegExp(`^${KERNEL}\n/dev/xvda2\n`));
    expect(await hostKeyAnswers(host, '10.0.0.9', HOST_KEY)).toBe(true);
    expect(await whoAnswers(host, { ip: '10.0.0.9', bridge: 'xenbr0' }, '10.0.0.1')).toMatchObject({ mac: expect.any(String) as string });
    expect((await hostInfo(host)).freeMemoryMiB).toBe(before - 512);
    expect(dom0.snapshot().loops).toEqual([{ name: '/dev/loop0', file: '/home/xen/g.img' }]);
    await destroyDomain(host, (await findDomain(host, 'g'))?.id ?? 0);
    expect(await awaitGone(host, 'g', 1_000)).toBe(true);
    expect(dom0.snapshot()).toMatchObject({ domains: [], loops: [] });
    await expect(hello('g', '10.0.0.9')).rejects.toThrow(/cannot be reached by ssh: ssh: connect to host 10.0.0.9 port 22/);
  });

  test('does not let in a key that its disk does not name, or a caller that expects another host key', async () => {
    await createDomain(host, await cfg('g', `file:${await guestImage('g', '10.0.0.9')}`));
    await guestImage('h', '10.0.0.10');
    await expect(
      guestRun(host, { ip: '10.0.0.9', keyPath: '/var/lib/guestflow/h-key', knownHosts: '/var/lib/guestflow/g-known', command: 'true' }),
    ).rejects.toThrow(/Permission denied \(publickey\)/);
    await expect(
      guestRun(host, { ip: '10.0.0.9', keyPath: '/var/lib/guestflow/g-key', knownHosts: '/var/lib/guestflow/h-known', command: 'true' }),
    ).rejects.toThrow(/another host key/);
  });

  test('panics on a volume without a file system: its console says so, and the domain is gone', async () => {
    await createVolume(host, { vg: 'vg01', name: 'g-root', bytes: 2 ** 30, tags: [] });
    await createDomain(host, await cfg('g', 'phy:/dev/vg01/g-root'));
    expect(await findDomain(host, 'g')).toBeUndefined();
    expect(await consoleTail(host, 'g')).toMatch(/VFS: Unable to mount root fs/);
  });

  test('keeps its volume open while it runs', async () => {
    await createVolume(host, { vg: 'vg01', name: 'g-root', bytes: 2 ** 30, tags: [] });
    const image = await guestImage('g', '10.0.0.9');
    await host.run('qemu-img', ['convert', '-p', '-n', '-t', 'writeback', '-f', 'raw', '-O', 'raw', image, '/dev/vg01/g-root']);
    await createDomain(host, await cfg('g', 'phy:/dev/vg01/g-root'));
    expect((await listVolumes(host, 'vg01'))[0]?.open).toBe(true);
    await expect(host.run('lvremove', ['-qq', '--yes', 'vg01/g-root'])).rejects.toMatchObject({
      code: 5,
      stderr: '  Logical volume vg01/g-root in use.\n',
    });
    // As on a real dom0: only a look at the volume tells that a guest has it.
    await host.run('blkdiscard', ['--zeroout', '--verbose', '--step', '268435456', '/dev/vg01/g-root']);
    expect(dom0.snapshot().volumes).toMatchObject([{ holds: 'nothing' }]);
    await destroyDomain(host, 1);
    await removeVolume(host, 'vg01', 'g-root');
  });

  test('does not answer while it is paused', async () => {
    await createDomain(host, await cfg('g', `file:${await guestImage('g', '10.0.0.9')}`));
    await pauseDomain(host, 1);
    await expect(hello('g', '10.0.0.9')).rejects.toThrow();
    await unpauseDomain(host, 1);
    await hello('g', '10.0.0.9');
  });

  test('that was shut down has a clean disk; one that was destroyed has not', async () => {
    const path = await cfg('g', `file:${await guestImage('g', '10.0.0.9')}`);
    const isClean = (): boolean => dom0.machine.disk('/home/xen/g.img')?.content.fs?.needsRecovery === false;
    await createDomain(host, path);
    await destroyDomain(host, 1);
    expect(isClean()).toBe(false);
    await createDomain(host, path);
    await shutdownDomain(host, 2);
    expect(isClean()).toBe(true);
  });
});

describe('time that passes with looks', () => {
  test('a guest answers at the look after those it needs, and is seen dying before it is gone', async () => {
    dom0.close();
    await begin({ bootPolls: 2, shutdownPolls: 2 });
    await createDomain(host, await cfg('g', `file:${await guestImage('g', '10.0.0.9')}`));
    await expect(hello('g', '10.0.0.9')).rejects.toThrow();
    await expect(hello('g', '10.0.0.9')).rejects.toThrow();
    await hello('g', '10.0.0.9');
    await shutdownDomain(host, 1);
    const seen: string[] = [];
    for (let look = 0; look < 3; look += 1)
      seen.push(
        (await listDomains(host))
          .slice(1)
          .map(({ name, state }) => `${name} ${state}`)
          .join(),
      );
    expect(seen).toEqual(['g ending', '(null) ending', '']);
  });
});

describe('xl create refuses', () => {
  test('a second domain of a name', async () => {
    const path = await cfg('g', `file:${await guestImage('g', '10.0.0.9')}`);
    await createDomain(host, path);
    await expect(createDomain(host, path)).rejects.toMatchObject({
      code: 3,
      stderr: expect.stringMatching(/Domain with name "g" already exists/) as string,
    });
  });

  test('a disk that another guest uses', async () => {
    const image = await guestImage('g', '10.0.0.9');
    await createDomain(host, await cfg('g', `file:${image}`));
    await expect(createDomain(host, await cfg('h', `file:${image}`))).rejects.toMatchObject({
      code: 3,
      stderr: expect.stringMatching(/block add/) as string,
    });
  });

  test.each(['noMemory', 'noLoop', 'readOnlyFs'] as const)('any domain under the condition %s, and leaves none', async (condition) => {
    const path = await cfg('g', `file:${await guestImage('g', '10.0.0.9')}`);
    dom0.faults[condition] = true;
    await expect(createDomain(host, path)).rejects.toMatchObject({ code: 3 });
    expect(dom0.snapshot()).toMatchObject({ domains: [], loops: [] });
  });

  test('more memory than there is', async () => {
    const path = await cfg('g', `file:${await guestImage('g', '10.0.0.9')}`, 'memory = 999999\n');
    await expect(createDomain(host, path)).rejects.toMatchObject({ stderr: 'failed to free memory for the domain\n' });
  });
});

describe('the dom0 as a whole', () => {
  test('a power cut takes domains and workers, and xendomains starts what is linked', async () => {
    const path = await cfg('guest1', `file:${await guestImage('guest1', '10.0.0.9')}`);
    await createDomain(host, path);
    await createDomain(host, await cfg('other', `file:${await guestImage('other', '10.0.0.10')}`));
    await enableAutostart(stepEnv(host), spec('guest1'));
    dom0.powerCut();
    expect(host.isDead).toBe(true);
    expect((await listDomains(dom0.host())).map(({ name }) => name)).toEqual(['Domain-0', 'guest1']);
  });

  test('preflight finds nothing missing on it', async () => {
    const env = stepEnv(host, undefined, settings({ antispoof: true }));
    await host.files.makeDirectory('/etc/xen/scripts');
    await host.files.writeAtomic('/etc/xen/scripts/vif-guestflow', '#!/bin/sh\n');
    expect((await preflight(env)).rows.filter(({ state }) => state !== 'ok')).toEqual([]);
  });

  test('the same seed makes the same keys and identities', async () => {
    const key = async (seed: number): Promise<string> => {
      const other = await fakeDom0({ seed });
      const made = await makeKey(other.host(), '/tmp/key', 'x');
      other.close();
      return made;
    };
    expect(await key(7)).toBe(await key(7));
    expect(await key(7)).not.toBe(await key(8));
  });

  test('one in a directory of its own is found again as it was left', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'kept-dom0-'));
    try {
      const first = await fakeDom0({ directory, persist: true });
      await createVolume(first.host(), { vg: 'vg01', name: 'kept', bytes: 2 ** 30, tags: ['guestflow'] });
      const before = first.snapshot();
      first.close();
      const second = await fakeDom0({ directory, persist: true, network: NETWORK });
      expect(second.snapshot()).toEqual(before);
      second.close();
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  });
});
