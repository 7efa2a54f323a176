/** Root's password and keys are set in a system on a disk that nothing has open, by the real debugfs; what is there is its tenant's, who may have made anything of it. */
import { execFileSync } from 'node:child_process';
import {
  copyFileSync,
  lchownSync,
  mkdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
  chmodSync,
  chownSync,
  existsSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { MiB } from '../../contract/sizes.ts';
import { changeOffline, undoOffline } from '../../activities/dom0/guests/access/offline.ts';
import { forgetFormer } from '../../activities/dom0/guests/access/former.ts';
import { ensurePasswordKey, passwordPublicKey } from '../../activities/dom0/password-key.ts';
import type { StepEnv } from '../../activities/dom0/env.ts';
import type { GuestSpec } from '../../contract/guest.ts';
import type { AccessPart } from '../../contract/access-parts.ts';
import { changed } from '../an-order.ts';
import { sealBox } from '../../system/sealed-box.ts';
import { settings, spec, stepEnv } from '../unit/activities/dom0/steps/support.ts';
import { host, imageFile, scratch, titled, whyNotHere } from './machine.ts';

const why = whyNotHere('mke2fs', 'e2fsck', 'dumpe2fs', 'debugfs', 'e2undo');
const whyNoStrace = why ?? whyNotHere('strace');
const HASH = `$6$salt$${'abcdefghij'.repeat(8)}klmnop`;
const TODAY = String(Math.floor(Date.now() / 86_400_000));
const SHADOW = 'root:$y$j9T$former:19000:0:99999:7:::\ndaemon:*:19000:0:99999:7:::\ntenant:$6$kept:19001:1:2:3:4:5:\n';

interface Bench {
  readonly env: StepEnv;
  readonly image: string;
  readonly state: string;
  readonly guest: GuestSpec;
}

/** A guest's disk with this `/etc/shadow`, and its dom0's key. */
async function bench(
  shadow: string | Buffer | null = SHADOW,
  more: (tree: string) => void = () => undefined,
  options: readonly string[] = [],
): Promise<Bench> {
  const directory = scratch();
  const tree = join(directory, 'tree');
  mkdirSync(join(tree, 'etc'), { recursive: true });
  // Directories of more than one block, as a system has them.
  for (let file = 0; file < 120; file += 1) writeFileSync(join(tree, 'etc', `a-file-of-the-system-${String(file)}`), 'x');
  if (shadow !== null) {
    writeFileSync(join(tree, 'etc/shadow'), shadow);
    chmodSync(join(tree, 'etc/shadow'), 0o640);
    chownSync(join(tree, 'etc/shadow'), 0, 42);
  }
  more(tree);
  const image = imageFile(join(directory, 'root.img'), 16 * MiB);
  await host.run('mke2fs', ['-q', '-F', '-t', 'ext4', ...options, '-d', tree, image]);
  rmSync(tree, { recursive: true });
  const env = { ...stepEnv(host), settings: { ...settings(), stateDir: join(directory, 'state') } };
  await ensurePasswordKey(env);
  const box = await sealBox(HASH, (await passwordPublicKey(env)) ?? '', 'order-guest1');
  const guest = spec('guest1', '10.0.0.5', { order: 'order-guest1', access: { sealedPassword: { dom0: box } } });
  return { env, image, guest, state: join(directory, 'state/guests/guest1') };
}

function debugfs(image: string, request: string): string {
  return execFileSync('debugfs', ['-R', request, image], { encoding: 'latin1', stdio: ['ignore', 'pipe', 'ignore'] });
}

const shadowOf = (image: string): string => debugfs(image, 'cat /etc/shadow');
const isClean = async (image: string): Promise<boolean> => (await host.run('e2fsck', ['-f', '-n', image], { okCodes: [0, 4] })).code === 0;

describe.skipIf(why !== undefined)(titled('the password of root, set on a disk', why), () => {
  it.each([[[]], [['-b', '1024']], [['-O', '^metadata_csum,^64bit']], [['-O', '^extents,^64bit,^metadata_csum']]])(
    'of a file system made with %j, changes its line and no other byte, mode or owner',
    async (options) => {
      const { env, image, guest, state } = await bench(SHADOW, undefined, options);
      await changeOffline(env, guest, image, 'password', 'change-1');
      expect(shadowOf(image)).toBe(SHADOW.replace('$y$j9T$former:19000', `${HASH}:${TODAY}`));
      expect(debugfs(image, 'stat /etc/shadow')).toMatch(/Type: regular +Mode: +0640 [^]*User: +0 +Group: +42 [^]*Links: 1 /);
      expect(await isClean(image)).toBe(true);
      expect(debugfs(image, 'ls /etc')).not.toContain('guestflow');
      await undoOffline(env, guest, image, 'change-1');
      expect(shadowOf(image)).toBe(SHADOW);
      expect(await isClean(image)).toBe(true);
      expect(existsSync(join(state, 'former-access.json'))).toBe(false);
    },
  );

  it.each<[string, string | Buffer, string | Buffer]>([
    [
      'no newline at its end',
      'daemon:*:1:0:99999:7:::\nroot:*:1:0:99999:7:::',
      `daemon:*:1:0:99999:7:::\nroot:${HASH}:${TODAY}:0:99999:7:::`,
    ],
    ['carriage returns', 'root:!:1:0:99999:7:::\r\nbin:*:1::::::\r\n', `root:${HASH}:${TODAY}:0:99999:7:::\r\nbin:*:1::::::\r\n`],
    [
      'several lines of root: the first one counts',
      'root:a:1:2:3:4:5:6:7\nroot:b:1::::::\n',
      `root:${HASH}:${TODAY}:2:3:4:5:6:7\nroot:b:1::::::\n`,
    ],
    ['a locked root', 'root:!$6$former:1:0:99999:7:::\n', `root:${HASH}:${TODAY}:0:99999:7:::\n`],
    ['a line of root that is not whole', 'root\nroot:x\n', `root\nroot:${HASH}:${TODAY}:0:99999:7:::\n`],
    ['no line of root', 'toor:*:1::::::\n', `root:${HASH}:${TODAY}:0:99999:7:::\ntoor:*:1::::::\n`],
    ['nothing', '', `root:${HASH}:${TODAY}:0:99999:7:::\n`],
    [
      'bytes that are no text',
      Buffer.from('bin:\xff\x00\x80:1::::::\nroot::1::::::$&\n', 'latin1'),
      Buffer.from(`bin:\xff\x00\x80:1::::::\nroot:${HASH}:${TODAY}::::::$&\n`, 'latin1'),
    ],
  ])('of a file with %s is set, and that undone, to the byte', async (_what, before, after) => {
    const { env, image, guest } = await bench(before);
    await changeOffline(env, guest, image, 'password', 'change-1');
    expect(shadowOf(image)).toBe(after.toString('latin1'));
    await undoOffline(env, guest, image, 'change-1');
    expect(shadowOf(image)).toBe(before.toString('latin1'));
  });

  it.each<[string, string | null, (tree: string) => void, RegExp]>([
    [
      '/etc/shadow is a link',
      null,
      (tree) => symlinkSync('/etc/passwd', join(tree, 'etc/shadow')),
      /shadow on .* is no file but of the type "symlink"/,
    ],
    ['/etc/shadow is a directory', null, (tree) => mkdirSync(join(tree, 'etc/shadow')), /is no file but of the type "directory"/],
    ['there is no /etc/shadow', null, () => undefined, /has no \/etc\/shadow/],
    ['/etc/shadow is larger than any', 'x:\n'.repeat(100_000), () => undefined, /is larger than 256 KiB/],
    [
      '/etc is a link',
      null,
      (tree) => {
        rmSync(join(tree, 'etc'), { recursive: true });
        mkdirSync(join(tree, 'srv'));
        writeFileSync(join(tree, 'srv/shadow'), SHADOW);
        symlinkSync('srv', join(tree, 'etc'));
        lchownSync(join(tree, 'etc'), 0, 0);
      },
      /\/etc on .* is no directory but of the type "symlink"/,
    ],
  ])('is refused in words if %s, and nothing is changed', async (_what, shadow, more, words) => {
    const { env, image, guest } = await bench(shadow, more);
    const before = readFileSync(image);
    await expect(changeOffline(env, guest, image, 'password', 'change-1')).rejects.toThrow(words);
    await undoOffline(env, guest, image, 'change-1');
    await host.run('e2fsck', ['-f', '-n', image]);
    expect(readFileSync(image).length).toBe(before.length);
    expect(debugfs(image, 'ls /etc')).not.toContain('guestflow');
  });

  it('is not set on a file system with inline_data, in which debugfs cannot be trusted', async () => {
    const { env, image, guest } = await bench(SHADOW, undefined, ['-O', 'inline_data']);
    await expect(changeOffline(env, guest, image, 'password', 'change-1')).rejects.toThrow(/inline_data/);
  });

  it('is undone by its own undo only, and by none when it is over', async () => {
    const { env, image, guest, state } = await bench();
    await changeOffline(env, guest, image, 'password', 'change-1');
    const set = shadowOf(image);
    await undoOffline(env, guest, image, 'change-2');
    expect(shadowOf(image)).toBe(set);
    await forgetFormer(env, guest);
    expect(existsSync(join(state, 'former-access.json'))).toBe(false);
    expect(existsSync(join(state, 'access'))).toBe(false);
    await undoOffline(env, guest, image, 'change-1');
    expect(shadowOf(image)).toBe(set);
  });

  it.skipIf(whyNoStrace !== undefined)(
    titled(
      'killed at any write to the disk is the former or the new one when it is done again, and the former when it is undone',
      whyNoStrace,
    ),
    async () => {
      const { env, image, guest } = await bench();
      const fresh = `${image}.fresh`;
      copyFileSync(image, fresh);
      const after = SHADOW.replace('$y$j9T$former:19000', `${HASH}:${TODAY}`);
      const seen = new Set<string>();
      let kills = 0;
      for (let write = 1; ; write += 6) {
        copyFileSync(fresh, image);
        await forgetFormer(env, guest);
        if (!(await changeKilledAt(env, guest, image, write))) break;
        kills += 1;
        seen.add(shadowOf(image).slice(0, 10));
        if (kills % 2 === 0) {
          await changeOffline(env, guest, image, 'password', 'change-1');
          expect(shadowOf(image)).toBe(after);
        } else {
          await undoOffline(env, guest, image, 'change-1');
          expect(shadowOf(image)).toBe(SHADOW);
        }
        expect(await isClean(image)).toBe(true);
        expect(debugfs(image, 'ls /etc')).not.toContain('guestflow');
      }
      expect(kills).toBeGreaterThan(6);
      // Never half of a file.
      expect([...seen].every((head) => ['', SHADOW.slice(0, 10), after.slice(0, 10)].includes(head))).toBe(true);
    },
    240_000,
  );
});

const KEYS = ['ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA', 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIB'];
const OWN = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIO guestflow-provision-guest1';
const FORMER_KEYS = '# the tenant\nssh-rsa AAAA former@home\n';
const AUTHORIZED = '/root/.ssh/authorized_keys';
const keysOn = (image: string): string => debugfs(image, `cat ${AUTHORIZED}`);

/** A guest's disk with what its tenant has made below /root, for which these keys are wished. */
async function benchForKeys(more: (root: string) => void, keys: readonly string[] = KEYS): Promise<Bench> {
  const made = await bench(SHADOW, (tree) => {
    mkdirSync(join(tree, 'root'), { mode: 0o700 });
    more(join(tree, 'root'));
  });
  return { ...made, guest: changed(made.guest, { access: { sshKeys: keys } }) };
}

/** With keys, in modes that sshd does not like. */
function withKeys(root: string): void {
  mkdirSync(join(root, '.ssh'));
  chmodSync(join(root, '.ssh'), 0o775);
  chownSync(join(root, '.ssh'), 1000, 1000);
  writeFileSync(join(root, '.ssh/authorized_keys'), FORMER_KEYS);
  chmodSync(join(root, '.ssh/authorized_keys'), 0o664);
  chownSync(join(root, '.ssh/authorized_keys'), 1000, 1000);
  writeFileSync(join(root, '.ssh/config'), 'theirs');
}

describe.skipIf(why !== undefined)(titled('the keys of root, set on a disk', why), () => {
  it("are these and no others, root's and for root only; brought back with modes and owners as they were", async () => {
    const { env, image, guest } = await benchForKeys(withKeys);
    await changeOffline(env, guest, image, 'keys', 'change-1');
    expect(keysOn(image)).toBe(KEYS.map((key) => `${key}\n`).join(''));
    expect(debugfs(image, `stat ${AUTHORIZED}`)).toMatch(/Type: regular +Mode: +0600 [^]*User: +0 +Group: +0 [^]*Links: 1 /);
    expect(debugfs(image, 'stat /root/.ssh')).toMatch(/Type: directory +Mode: +0700 [^]*User: +0 +Group: +0 /);
    expect(debugfs(image, 'cat /root/.ssh/config')).toBe('theirs');
    expect(await isClean(image)).toBe(true);
    await undoOffline(env, guest, image, 'change-1');
    expect(keysOn(image)).toBe(FORMER_KEYS);
    expect(debugfs(image, `stat ${AUTHORIZED}`)).toMatch(/Mode: +0664 [^]*User: +1000 +Group: +1000 /);
    expect(debugfs(image, 'stat /root/.ssh')).toMatch(/Mode: +0775 [^]*User: +1000 +Group: +1000 /);
    expect(await isClean(image)).toBe(true);
  });

  it('get a directory where there is none, which goes with them, if nothing else was put there meanwhile', async () => {
    const { env, image, guest } = await benchForKeys(() => undefined);
    await changeOffline(env, guest, image, 'keys', 'change-1');
    expect(debugfs(image, 'stat /root/.ssh')).toMatch(/Type: directory +Mode: +0700 [^]*User: +0 +Group: +0 /);
    expect(keysOn(image)).toContain(KEYS[1]);
    await undoOffline(env, guest, image, 'change-1');
    expect(debugfs(image, 'ls /root')).not.toContain('.ssh');
    await changeOffline(env, guest, image, 'keys', 'change-2');
    execFileSync('debugfs', ['-w', '-f', '-', image], {
      input: 'cd /root/.ssh\nwrite /etc/hostname known_hosts\n',
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    await undoOffline(env, guest, image, 'change-2');
    expect(debugfs(image, 'ls /root/.ssh')).toMatch(/known_hosts/);
    expect(debugfs(image, 'ls /root/.ssh')).not.toMatch(/authorized_keys/);
    expect(await isClean(image)).toBe(true);
  });

  it("may be none; guestflow's own stays in a guest that has it", async () => {
    const { env, image, guest, state } = await benchForKeys(withKeys, []);
    await changeOffline(env, guest, image, 'keys', 'change-1');
    expect(keysOn(image)).toBe('');
    writeFileSync(join(state, 'provision_key'), 'private');
    await expect(changeOffline(env, guest, image, 'keys', 'change-2')).rejects.toThrow(/would lock itself out of guest1/);
    writeFileSync(join(state, 'provision_key.pub'), `${OWN}\n`);
    await changeOffline(env, guest, image, 'keys', 'change-2');
    expect(keysOn(image)).toBe(`${OWN}\n`);
  });

  it.each<[string, (root: string) => void, RegExp]>([
    [
      '.ssh is a link',
      (root) => {
        mkdirSync(join(root, 'elsewhere'));
        symlinkSync('elsewhere', join(root, '.ssh'));
      },
      /\/root\/\.ssh on .* is no directory but of the type "symlink"/,
    ],
    ['.ssh is a file', (root) => writeFileSync(join(root, '.ssh'), ''), /is no directory but of the type "regular"/],
    [
      'authorized_keys is a link',
      (root) => {
        mkdirSync(join(root, '.ssh'));
        symlinkSync('/etc/shadow', join(root, '.ssh/authorized_keys'));
      },
      /authorized_keys on .* is no file but of the type "symlink"/,
    ],
    ['authorized_keys is a directory', (root) => mkdirSync(join(root, '.ssh/authorized_keys'), { recursive: true }), /is no file but/],
    ['there is no /root', (root) => rmSync(root, { recursive: true }), /guest1 has no \/root/],
  ])('are refused in words if %s, and nothing is changed', async (_what, more, words) => {
    const { env, image, guest } = await benchForKeys(more);
    const before = readFileSync(image);
    await expect(changeOffline(env, guest, image, 'keys', 'change-1')).rejects.toThrow(words);
    expect(debugfs(image, 'ls -l /root')).toBe(debugfs(withContent(image, before), 'ls -l /root'));
    expect(shadowOf(image)).toBe(SHADOW);
  });

  it.skipIf(whyNoStrace !== undefined)(
    titled('killed at any write to the disk are the wished ones when it is done again, and the former ones when it is undone', whyNoStrace),
    async () => {
      const { env, image, guest } = await benchForKeys(() => undefined);
      const fresh = `${image}.fresh`;
      copyFileSync(image, fresh);
      let kills = 0;
      for (let write = 1; ; write += 5) {
        copyFileSync(fresh, image);
        await forgetFormer(env, guest);
        if (!(await changeKilledAt(env, guest, image, write, 'keys'))) break;
        kills += 1;
        if (kills % 2 === 0) {
          await changeOffline(env, guest, image, 'keys', 'change-1');
          expect(keysOn(image)).toBe(KEYS.map((key) => `${key}\n`).join(''));
          expect(debugfs(image, 'stat /root/.ssh')).toMatch(/Mode: +0700 /);
        } else {
          await undoOffline(env, guest, image, 'change-1');
          expect(debugfs(image, 'ls /root')).not.toContain('.ssh');
        }
        expect(await isClean(image)).toBe(true);
      }
      expect(kills).toBeGreaterThan(6);
    },
    240_000,
  );
});

describe.skipIf(why !== undefined)(titled('the host name, set on a disk', why), () => {
  const HOSTS = '127.0.0.1\tlocalhost\n# theirs\n10.0.0.5\tguest1.example.org guest1\n127.0.1.1 guest1\n192.0.2.1\tdb \xff\n';

  async function benchForName(mailname?: string): Promise<Bench> {
    const made = await bench(SHADOW, (tree) => {
      writeFileSync(join(tree, 'etc/hostname'), 'guest1\n');
      writeFileSync(join(tree, 'etc/hosts'), Buffer.from(HOSTS, 'latin1'));
      chmodSync(join(tree, 'etc/hosts'), 0o640);
      if (mailname !== undefined) writeFileSync(join(tree, 'etc/mailname'), mailname);
    });
    return { ...made, guest: changed(made.guest, { hostname: 'shop.example.org' }) };
  }

  it('is in its files; what its tenant has added stays, to the byte; and that undone', async () => {
    const { env, image, guest } = await benchForName('guest1.example.org\n');
    await changeOffline(env, guest, image, 'hostname', 'change-1');
    expect(debugfs(image, 'cat /etc/hostname')).toBe('shop\n');
    expect(debugfs(image, 'cat /etc/hosts')).toBe('127.0.0.1\tlocalhost\n# theirs\n10.0.0.5\tshop.example.org shop\n192.0.2.1\tdb \xff\n');
    expect(debugfs(image, 'stat /etc/hosts')).toMatch(/Mode: +0640 /);
    expect(debugfs(image, 'cat /etc/mailname')).toBe('shop.example.org\n');
    expect(await isClean(image)).toBe(true);
    // Again is the same.
    await changeOffline(env, guest, image, 'hostname', 'change-1');
    expect(debugfs(image, 'cat /etc/hosts').match(/shop/g)).toHaveLength(2);
    await undoOffline(env, guest, image, 'change-1');
    expect(debugfs(image, 'cat /etc/hostname')).toBe('guest1\n');
    expect(debugfs(image, 'cat /etc/hosts')).toBe(HOSTS);
    expect(debugfs(image, 'cat /etc/mailname')).toBe('guest1.example.org\n');
  });

  it('makes no /etc/mailname where there is none', async () => {
    const { env, image, guest } = await benchForName();
    await changeOffline(env, guest, image, 'hostname', 'change-1');
    expect(debugfs(image, 'ls /etc')).not.toMatch(/ mailname /);
  });
});

function withContent(image: string, bytes: Buffer): string {
  writeFileSync(`${image}.before`, bytes);
  return `${image}.before`;
}

/** Does the change, with debugfs killed before its Nth write of a block, counted over its runs. Whether that came to pass. */
async function changeKilledAt(
  env: StepEnv,
  guest: GuestSpec,
  image: string,
  write: number,
  part: AccessPart = 'password',
): Promise<boolean> {
  let done = 0;
  const run: StepEnv['host']['run'] = async (tool, args, options) => {
    if (tool !== 'debugfs' || !args.includes('-w')) return host.run(tool, args, options);
    const log = `${image}.trace`;
    const when = write - done;
    const trace = [
      '-f',
      '-o',
      log,
      '-e',
      'trace=pwrite64',
      ...(when > 0 ? ['-e', `inject=pwrite64:signal=KILL:when=${String(when)}`] : []),
    ];
    try {
      return await host.run('strace', [...trace, '--', tool, ...args], options);
    } finally {
      done += readFileSync(log, 'latin1')
        .split('\n')
        .filter((line) => line.includes('pwrite64(')).length;
    }
  };
  return changeOffline({ ...env, host: { ...host, run } }, guest, image, part, 'change-1').then(
    () => false,
    () => true,
  );
}
