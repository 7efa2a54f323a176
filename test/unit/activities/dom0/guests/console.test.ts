/** What a console tells of a system that starts. */
import { describe, expect, it } from 'vitest';
import { readConsole } from '../../../../../activities/dom0/guests/console.ts';

describe('a console', () => {
  it.each([
    ['Debian', '\nDebian GNU/Linux 12 guest1 hvc0\n\nguest1 login: '],
    ['a message of the kernel after it', 'x\nguest1 login: [   42.1] random: crng init done\n'],
    ['carriage returns', 'Ubuntu 24.04 LTS web.example.org hvc0\r\n\r\nweb login: '],
    ['trouble before it', 'You are in emergency mode. Press Control-D\n\nguest1 login: '],
  ])('with a login prompt is that of a system that is up: %s', (_, text) => {
    expect(readConsole(text).isUp).toBe(true);
  });

  it.each([
    ['', undefined],
    ['Last login: Mon Jan  1\n', undefined],
    ['[    3.1] systemd[1]: Reached target login prompts: ok\n', undefined],
    ['You are in emergency mode. After logging in, type "journalctl -xb"', 'You are in emergency mode'],
    ['Give root password for maintenance\n(or press Control-D to continue): ', 'Give root password for maintenance'],
    ['Begin: Running\nALERT! /dev/xvda2 does not exist.  Dropping to a shell!\n(initramfs) ', '(initramfs)'],
    ['Kernel panic - not syncing: VFS: Unable to mount root fs', 'Kernel panic - not syncing: VFS: Unable to mount root fs'],
  ])('without one is not, and tells what it stands at: %j', (text, what) => {
    expect(readConsole(text)).toEqual(what === undefined ? { isUp: false } : { isUp: false, what });
  });
});
