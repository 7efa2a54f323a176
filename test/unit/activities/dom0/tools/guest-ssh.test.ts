import { describe, expect, it } from 'vitest';
import { guestRun, hostKeyAnswers, knownHostsLine, makeKey } from '../../../../../activities/dom0/tools/guest-ssh.ts';
import type { Host } from '../../../../../system/host.ts';
import { hasBridge, whoAnswers } from '../../../../../activities/dom0/tools/net.ts';
import { createRunner } from '../../../../../system/run.ts';
import { recorded, scriptedHost, type ScriptedHost } from '../../../scripted-host.ts';

const HOST_KEY = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ35rv5PUXA7JvnmdviGpq2anW48xUy4Rs1jNFAQrwme';
const guest = { ip: '192.168.77.11', keyPath: '/state/provision_key', knownHosts: '/state/known_hosts', command: 'uname -r' };

describe('a command in a guest', () => {
  it("goes to root with this guest's key, and to no other machine at the address", async () => {
    const host = scriptedHost(() => ({ stdout: '6.1.0\n' }));
    expect((await guestRun(host, guest)).stdout).toBe('6.1.0\n');
    expect(host.calls[0]).toMatch(
      /^ssh -F \/dev\/null -i \/state\/provision_key .*StrictHostKeyChecking=yes -o UserKnownHostsFile=\/state\/known_hosts .* root@192\.168\.77\.11 -- uname -r$/,
    );
  });

  it('that does not get there is a guest that did not answer', async () => {
    const host = scriptedHost(() => ({ code: 255, stderr: 'ssh: connect to host 192.168.77.11 port 22: No route to host\n' }));
    await expect(guestRun(host, guest)).rejects.toMatchObject({
      type: 'GuestDidNotAnswer',
      message: expect.stringContaining('No route to host') as string,
    });
  });

  it('that meets another host key says so', async () => {
    const host = scriptedHost(() => ({
      code: 255,
      stderr: 'No ED25519 host key is known for 192.168.77.11 and you have requested strict checking.\nHost key verification failed.\n',
    }));
    await expect(guestRun(host, guest)).rejects.toThrow(/another host key/);
  });

  it("that fails in the guest is the tool's error, or its code when that is accepted", async () => {
    const host = scriptedHost(() => ({ code: 3 }));
    await expect(guestRun(host, guest)).rejects.toMatchObject({ name: 'ToolError', code: 3 });
    expect((await guestRun(host, { ...guest, okCodes: [0, 3] })).code).toBe(3);
  });

  it('that is answered with far more than any answer fails for good: it is not waited for as one that does not answer yet', async () => {
    const runner = createRunner();
    // What stands for ssh here is a guest that does not stop, and one that ends the connection at last.
    for (const script of ['yes', 'head -c 70000 /dev/zero; exit 255']) {
      const host = {
        ...scriptedHost(() => ({})),
        run: ((_tool, _args, options) => runner.run('sh', ['-c', script], options)) as Host['run'],
      };
      await expect(guestRun(host, { ...guest, timeoutMs: 20_000 })).rejects.toMatchObject({
        type: 'ToolFailed',
        retryable: false,
        message: expect.stringMatching(/^the guest at 192\.168\.77\.11 answered a command with more than 64 KiB/) as string,
      });
    }
  });

  it('is never sent to what is no address', async () => {
    await expect(
      guestRun(
        scriptedHost(() => ({})),
        { ...guest, ip: '-oProxyCommand=id' },
      ),
    ).rejects.toThrow(/ip/);
  });
});

/** A host whose ssh-keygen writes both halves. */
async function keyHost(): Promise<ScriptedHost> {
  const host: ScriptedHost = scriptedHost(async (command) => {
    const path = /^ssh-keygen .* -f (\S+)$/.exec(command)?.[1];
    if (path === undefined) return {};
    await host.files.writeAtomic(path, 'private');
    await host.files.writeAtomic(`${path}.pub`, `${HOST_KEY} made\n`);
    return {};
  });
  await host.files.makeDirectory('/state');
  return host;
}

describe('keys', () => {
  it('make a known_hosts line for exactly one address', () => {
    expect(knownHostsLine('192.168.77.11', `${HOST_KEY} root@web1\n`)).toBe(`192.168.77.11 ${HOST_KEY}\n`);
    expect(() => knownHostsLine('192.168.77.11', 'ssh-rsa AAAA')).toThrow(/ed25519/);
  });

  it('are recognised in what answers', async () => {
    const host = scriptedHost(() => ({ stdout: recorded('ssh-keyscan') }));
    expect(await hostKeyAnswers(host, '127.0.0.1', `${HOST_KEY} x`)).toBe(true);
    expect(await hostKeyAnswers(host, '127.0.0.1', HOST_KEY.replace('Qrwme', 'Qrwmf'))).toBe(false);
    expect(
      await hostKeyAnswers(
        scriptedHost(() => ({ code: 1 })),
        '127.0.0.1',
        HOST_KEY,
      ),
    ).toBe(false);
  });

  it('that are half there are made again, whole ones are kept', async () => {
    const host = await keyHost();
    await host.files.writeAtomic('/state/key', 'half');
    expect(await makeKey(host, '/state/key', 'guestflow-provision-web1')).toBe(`${HOST_KEY} made`);
    expect(String(await host.files.read('/state/key'))).toBe('private');
    expect(await host.files.list('/state')).toEqual(['key', 'key.pub']);
    const calls = host.calls.length;
    expect(await makeKey(host, '/state/key', 'guestflow-provision-web1')).toBe(`${HOST_KEY} made`);
    expect(host.calls).toHaveLength(calls);
  });

  it.each([
    ['public', 'private', ''],
    ['private', '', `${HOST_KEY} old\n`],
  ])(
    'whose %s half a power cut has left empty are made again, and are on the disk before they have their names',
    async (_half, key, pub) => {
      const host = await keyHost();
      await host.files.writeAtomic('/state/key', key);
      await host.files.writeAtomic('/state/key.pub', pub);
      expect(await makeKey(host, '/state/key', 'guestflow-provision-web1')).toBe(`${HOST_KEY} made`);
      expect(host.calls).toEqual([
        'ssh-keygen -q -t ed25519 -N  -C guestflow-provision-web1 -f /state/key.guestflow-part',
        'sync -- /state/key.guestflow-part',
        'sync -- /state/key.guestflow-part.pub',
      ]);
    },
  );
});

describe('the network', () => {
  it('has an address in use when somebody answers for it', async () => {
    const host = scriptedHost((command) =>
      command.endsWith('.11') ? { code: 1, stdout: 'Unicast reply from 192.168.77.11 [ae:46:f0:7f:16:70]  0.670ms\n' } : { code: 0 },
    );
    expect(await whoAnswers(host, { ip: '192.168.77.11', bridge: 'xenbr0' }, '192.168.77.1')).toEqual({ mac: 'AE:46:F0:7F:16:70' });
    expect(await whoAnswers(host, { ip: '192.168.77.12', bridge: 'xenbr0' }, '192.168.77.1')).toBe('nobody');
    expect(host.calls[0]).toBe('arping -D -c 2 -w 3 -I xenbr0 192.168.77.11');
  });

  it('is not said to be free when arping could not look', async () => {
    await expect(
      whoAnswers(
        scriptedHost(() => ({ code: 2, stderr: 'arping: Device xenbr9 not available.' })),
        { ip: '192.168.77.11', bridge: 'xenbr9' },
        '192.168.77.1',
      ),
    ).rejects.toThrow(/exit code 2/);
  });

  it('has a bridge when the kernel says that it is one', async () => {
    const host = scriptedHost(() => ({}));
    await host.files.makeDirectory('/sys/class/net/xenbr0/bridge');
    await host.files.makeDirectory('/sys/class/net/eth0');
    expect([await hasBridge(host, 'xenbr0'), await hasBridge(host, 'eth0')]).toEqual([true, false]);
  });
});
