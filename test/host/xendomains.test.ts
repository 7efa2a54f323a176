/** Debian's own xendomains script, and what guestflow makes of the states that it saves: the script is real, and `xen` writes down what it is asked. */
import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { enableAutostart } from '../../activities/dom0/steps/autostart.ts';
import { bootGuest } from '../../activities/dom0/steps/boot.ts';
import { savedStates } from '../../activities/dom0/toolstack/xl/xendomains.ts';
import type { GuestSpec } from '../../contract/guest.ts';
import type { FakeDom0, FakeHost } from '../../fake/index.ts';
import { saveFile } from '../fixtures/saved-state.ts';
import { whyNoXen, xenCommonRoot } from '../fixtures/xen/debian.ts';
import { fakeDom0, onVolumes, spec, stepEnv } from '../unit/activities/dom0/steps/support.ts';
import { titled } from './machine.ts';

const SAVE = '/var/lib/xen/save';
const SETTINGS = (root: string): string => `XENDOMAINS_SAVE=${root}${SAVE}
XENDOMAINS_RESTORE=true
XENDOMAINS_AUTO=${root}/etc/xen/auto
XENDOMAINS_STOP_MAXWAIT=5
`;
/** Each call of the script starts some processes. */
const LIMIT_MS = 180_000;
const why = whyNoXen(xenCommonRoot);

describe.skipIf(why !== undefined)(titled('Debian’s xendomains', why), { timeout: LIMIT_MS }, () => {
  let root: string;
  let dom0: FakeDom0;
  let host: FakeHost;
  let guest: GuestSpec;

  beforeEach(async () => {
    root = mkdtempSync(join(tmpdir(), 'xendomains-'));
    dom0 = await fakeDom0({ directory: root });
    host = dom0.host();
    guest = spec('guest1.example.org');
    await onVolumes(host, guest);
    await enableAutostart(stepEnv(host), { name: guest.name, order: guest.order, dom0: guest.dom0 });
    await host.files.writeAtomic('/etc/default/xendomains', SETTINGS(''));
    await host.files.makeDirectory(SAVE, 0o700);
    await host.files.writeAtomic('/etc/xen/byhand', 'name = "byhand"\nkernel = "/boot/vmlinuz"\n');
    writeFileSync(join(root, 'script'), script());
    writeFileSync(join(root, 'settings'), SETTINGS(root));
    mkdirSync(join(root, 'path'));
    writeFileSync(
      join(root, 'path/xen'),
      `#!/bin/sh\nexec ${process.execPath} ${join(import.meta.dirname, '../fixtures/xen/stub-xen.mjs')} "$@"\n`,
    );
    chmodSync(join(root, 'path/xen'), 0o755);
    for (const name of [guest.name, 'byhand']) writeFileSync(join(root, `saved-${name}`), saveFile(name));
  });
  afterEach(() => {
    dom0.close();
    rmSync(root, { recursive: true, force: true });
  });

  /** The script as it is, but for where it looks. */
  function script(): string {
    const common = xenCommonRoot();
    const text = readFileSync(join(common, 'etc/init.d/xendomains'), 'utf8');
    const places = { '/proc/xen/privcmd': '/dev/null', '/etc/default/xendomains': join(root, 'settings') };
    for (const place of Object.keys(places)) expect(text).toContain(place);
    return Object.entries({ ...places, '/usr/lib/xen-common': join(common, 'usr/lib/xen-common') }).reduce(
      (changed, [from, to]) => changed.replaceAll(from, to),
      text,
    );
  }

  /** What the script asks for, and the names of the domains that there are then. */
  function xendomains(what: 'start' | 'stop'): { calls: string[]; domains: string[] } {
    const calls = join(root, 'calls');
    rmSync(calls, { force: true });
    execFileSync('bash', [join(root, 'script'), what], {
      env: { PATH: `${join(root, 'path')}:${process.env['PATH'] ?? ''}`, ROOT: root },
      stdio: ['ignore', 'ignore', 'ignore'],
    });
    const domains = existsSync(join(root, 'domains.json'))
      ? (JSON.parse(readFileSync(join(root, 'domains.json'), 'utf8')) as { name: string }[]).map(({ name }) => name)
      : [];
    return { calls: existsSync(calls) ? readFileSync(calls, 'utf8').replaceAll(root, '').trim().split('\n') : [], domains };
  }

  /** The power goes: all domains are gone. */
  const powerCut = (): void => {
    rmSync(join(root, 'domains.json'), { force: true });
  };
  const put = (file: string, domain: string, memory?: string): void => {
    writeFileSync(join(root, SAVE, file), saveFile(domain, memory));
  };
  const boot = (): Promise<unknown> => bootGuest(stepEnv(host), guest);
  const saved = (): string[] => readdirSync(join(root, SAVE)).sort();

  it('saves to where guestflow looks, and a good restore leaves nothing there', async () => {
    writeFileSync(join(root, 'domains.json'), JSON.stringify([guest.name, 'byhand'].map((name, index) => ({ id: index + 1, name }))));
    expect(xendomains('stop')).toEqual({
      calls: [`save 1 ${SAVE}/${guest.name}`, `save 2 ${SAVE}/byhand`],
      domains: [],
    });
    expect((await savedStates(host)).map(({ domain }) => domain)).toEqual(['byhand', guest.name]);
    expect(xendomains('start').domains).toEqual(['byhand', guest.name]);
    expect(await savedStates(host)).toEqual([]);
  });

  it('restores just the files that guestflow takes for saved states, of the domains that it takes them for', async () => {
    mkdirSync(join(root, SAVE, 'directory'));
    put('directory/inside', 'inside');
    put('.hidden', 'hidden');
    put('web.example.org', 'web.example.org');
    put('called-otherwise', guest.name);
    put('UPPER+_@case', 'upper');
    writeFileSync(join(root, 'elsewhere'), saveFile('linked'));
    symlinkSync('../../../../elsewhere', join(root, SAVE, 'link'));
    symlinkSync('../save/web.example.org', join(root, SAVE, 'link-beside'));
    symlinkSync('directory', join(root, SAVE, 'link-to-directory'));
    symlinkSync('nothing', join(root, SAVE, 'link-to-nothing'));
    execFileSync('mkfifo', [join(root, SAVE, 'fifo')]);
    const taken = await savedStates(host);
    const { calls, domains } = xendomains('start');
    expect(calls.filter((call) => call.startsWith('restore')).sort()).toEqual(taken.map(({ path }) => `restore ${path}`).sort());
    // The link beside is of a domain that is there by then.
    expect(domains.sort()).toEqual([...new Set(taken.map(({ domain }) => domain))].sort());
  });

  it('does not restore a file with a blank in its name, which guestflow puts aside all the same', async () => {
    put('two words', guest.name);
    expect(xendomains('start').calls).toEqual([`create /etc/xen/auto/${guest.name}.cfg`]);
    await boot();
    expect(saved()).not.toContain('two words');
  });

  it('restores nothing of a guest whose states guestflow has put aside, starts it from /etc/xen/auto, and restores those of others', async () => {
    put(guest.name, guest.name);
    put('called-otherwise', guest.name);
    writeFileSync(join(root, 'elsewhere'), saveFile(guest.name));
    symlinkSync('../../../../elsewhere', join(root, SAVE, 'link'));
    put('byhand', 'byhand');
    put('guest2', 'guest2');
    await boot();
    expect(xendomains('start')).toEqual({
      calls: [`restore ${SAVE}/byhand`, `restore ${SAVE}/guest2`, `create /etc/xen/auto/${guest.name}.cfg`],
      domains: ['byhand', 'guest2', guest.name],
    });
  });

  it('leaves a state that it could not restore, and does not start that guest; guestflow starts it, and no later boot restores it', async () => {
    put(guest.name, guest.name, 'BROKEN');
    expect(xendomains('start')).toEqual({ calls: [`restore ${SAVE}/${guest.name}`], domains: [] });
    expect(saved()).toContain(guest.name);
    // Whatever it was that hindered the restore, it is gone by the next boot.
    put(guest.name, guest.name);
    await boot();
    powerCut();
    expect(xendomains('start')).toEqual({ calls: [`create /etc/xen/auto/${guest.name}.cfg`], domains: [guest.name] });
  });

  it('restores the guest from a file of another name that failed at first, unless guestflow has started the guest since', async () => {
    put('called-otherwise', guest.name, 'BROKEN');
    // The script knows a failed restore by the name of the file: it starts the guest from its disks, and the state is stale.
    expect(xendomains('start').calls).toEqual([`restore ${SAVE}/called-otherwise`, `create /etc/xen/auto/${guest.name}.cfg`]);
    put('called-otherwise', guest.name);
    await boot();
    powerCut();
    expect(xendomains('start').calls).toEqual([`create /etc/xen/auto/${guest.name}.cfg`]);
  });
});
