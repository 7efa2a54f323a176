/** The scripts that change the access to a guest that runs, by the real tools of such a guest, on directories of their own. */
import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { LiveSystem } from '../../activities/dom0/guests/access/live-system.ts';
import type { GuestKind } from '../../activities/dom0/guests/port.ts';
import { BRING_ROOT_LINE_BACK_SCRIPT, ROOT_LINE_SCRIPT, SET_PASSWORD_SCRIPT } from '../../activities/dom0/guests/scripts.ts';
import { spec } from '../unit/activities/dom0/steps/support.ts';
import { scratch, titled, whyNotHere } from './machine.ts';

const why = whyNotHere('unshare', 'mount', 'chpasswd', 'awk');
const HASH = `$6$salt$${'abcdefghij'.repeat(8)}klmnop`;
const TODAY = String(Math.floor(Date.now() / 86_400_000));
const SHADOW = 'daemon:*:1:0:99999:7:::\nroot:!:19000:1:2:3:4:5:\ntenant:$6$k&e\\pt:1:0:99999:7:::\n';

function etc(shadow: string): string {
  const directory = join(scratch(), 'etc');
  mkdirSync(directory);
  for (const file of ['/etc/login.defs', '/etc/nsswitch.conf']) if (existsSync(file)) copyFileSync(file, join(directory, file.slice(5)));
  mkdirSync(join(directory, 'alternatives'));
  symlinkSync(readlinkSync('/etc/alternatives/awk'), join(directory, 'alternatives/awk'));
  writeFileSync(join(directory, 'passwd'), 'root:x:0:0:root:/root:/bin/sh\ndaemon:x:1:1::/:/bin/false\n');
  writeFileSync(join(directory, 'shadow'), shadow);
  chmodSync(join(directory, 'shadow'), 0o640);
  chownSync(join(directory, 'shadow'), 0, 42);
  return directory;
}

/** Runs a script as ssh has the guest's shell run it, in a name space of mounts in which this is /etc. */
function runOn(directory: string, script: string, input = ''): string {
  const inside = `mount --bind '${directory}' /etc && exec sh -c "$1"`;
  return execFileSync('unshare', ['--mount', '--', 'sh', '-c', inside, 'sh', script], { encoding: 'utf8', input, stdio: 'pipe' });
}

const shadowIn = (directory: string): string => readFileSync(join(directory, 'shadow'), 'utf8');

describe.skipIf(why !== undefined)(titled("root's password in a guest that runs", why), () => {
  it('is set in its line, and brought back to the byte, with mode and owner as they were', () => {
    const directory = etc(SHADOW);
    const line = runOn(directory, ROOT_LINE_SCRIPT);
    expect(line).toBe('root:!:19000:1:2:3:4:5:\n');
    runOn(directory, SET_PASSWORD_SCRIPT, `root:${HASH}\n`);
    expect(shadowIn(directory)).toBe(SHADOW.replace('root:!:19000', `root:${HASH}:${TODAY}`));
    runOn(directory, BRING_ROOT_LINE_BACK_SCRIPT, line);
    expect(shadowIn(directory)).toBe(SHADOW);
    expect(statSync(join(directory, 'shadow'))).toMatchObject({ mode: 0o100640, uid: 0, gid: 42 });
    expect(existsSync(join(directory, 'shadow.guestflow'))).toBe(false);
  });

  it('has no line where root has none', () => {
    expect(runOn(etc('toor:*:1::::::\n'), ROOT_LINE_SCRIPT)).toBe('');
  });

  it('that could not be set is a failure', () => {
    const directory = etc(SHADOW);
    writeFileSync(join(directory, 'passwd'), 'daemon:x:1:1::/:/bin/false\n');
    writeFileSync(join(directory, 'shadow'), 'daemon:*:1:0:99999:7:::\n');
    expect(() => runOn(directory, SET_PASSWORD_SCRIPT, `root:${HASH}\n`)).toThrow();
  });
});

const HOME = { mode: 0o700, uid: 0, gid: 0 };

/** A guest whose scripts this machine's shell runs. */
function system(): LiveSystem {
  const kind: Pick<GuestKind, 'run'> = {
    run: (_guest, { script, input = '', okCodes = [0] }) => {
      const { status, stdout, stderr } = spawnSync('sh', ['-c', script], { encoding: 'utf8', input });
      if (status === null || !okCodes.includes(status)) return Promise.reject(new Error(`${String(status)}: ${stderr}`));
      return Promise.resolve({ code: status, stdout, stderr, seconds: 0 });
    },
  };
  return new LiveSystem(kind as GuestKind, spec());
}

describe.skipIf(process.getuid?.() !== 0)('files in a guest that runs', () => {
  it('are read and replaced to the byte, with mode and owner, and go again', async () => {
    const [files, directory] = [system(), join(scratch(), 'ssh')];
    const file = join(directory, 'authorized_keys');
    expect(await files.read(file)).toBeUndefined();
    await files.setDirectory(directory, HOME);
    expect(await files.directory(directory)).toEqual(HOME);
    const content = { bytes: Buffer.from('a\0b\n\xff no newline at the end $(id) `id`', 'latin1'), mode: 0o640, uid: 0, gid: 42 };
    await files.replace(file, content);
    expect(await files.read(file)).toEqual(content);
    expect(statSync(file)).toMatchObject({ mode: 0o100640, uid: 0, gid: 42 });
    await files.replace(file, { ...content, bytes: Buffer.alloc(0) });
    expect((await files.read(file))?.bytes).toHaveLength(0);
    await files.setDirectory(directory, { mode: 0o711, uid: 1, gid: 2 });
    expect(statSync(directory)).toMatchObject({ mode: 0o40711, uid: 1, gid: 2 });
    await files.setDirectory(directory, undefined);
    expect(existsSync(file)).toBe(true);
    await files.replace(file, undefined);
    await files.setDirectory(directory, undefined);
    expect(existsSync(directory)).toBe(false);
    await files.replace(file, undefined);
  });

  it('that are links, or behind one, are refused in words, and what they lead to stays', async () => {
    const [files, directory] = [system(), scratch()];
    const target = join(directory, 'target');
    writeFileSync(target, 'kept');
    symlinkSync(target, join(directory, 'link'));
    symlinkSync(directory, join(directory, 'way'));
    symlinkSync('/nowhere', join(directory, 'dangling'));
    const content = { bytes: Buffer.from('new'), mode: 0o600, uid: 0, gid: 0 };
    for (const path of ['link', 'way/target', 'dangling/target', 'target/below', 'dangling'])
      await expect(files.read(join(directory, path))).rejects.toThrow(/is a link or something else than a system has there/);
    for (const path of ['way/target', 'dangling/target', 'target/below'])
      await expect(files.replace(join(directory, path), content)).rejects.toThrow(/is a link or something else/);
    await expect(files.setDirectory(join(directory, 'way'), HOME)).rejects.toThrow(/is a link or something else/);
    await expect(files.setDirectory(join(directory, 'target'), HOME)).rejects.toThrow();
    // The name is taken by the new file; nothing is written through it.
    await files.replace(join(directory, 'link'), content);
    expect(readFileSync(target, 'utf8')).toBe('kept');
    expect(readFileSync(join(directory, 'link'), 'utf8')).toBe('new');
  });

  it.each(['a path/with a blank', '$(id)', '../up'])('at %j are never asked for', async (path) => {
    await expect(system().read(`/tmp/${path}`)).rejects.toThrow();
  });
});
