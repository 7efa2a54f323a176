/** The scripts that set root's password in a guest that runs, by the real tools of such a guest, on an /etc of their own. */
import { execFileSync } from 'node:child_process';
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
import { BRING_ROOT_LINE_BACK_SCRIPT, ROOT_LINE_SCRIPT, SET_PASSWORD_SCRIPT } from '../../activities/dom0/guests/scripts.ts';
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
