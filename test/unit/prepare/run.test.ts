import { describe, expect, it } from 'vitest';
import { withConsoleLog, withDefaultBridge, withoutPygrub } from '../../../activities/dom0/tools/dom0-files.ts';
import { bootEntries, defaultEntry, grubSettings, whyNotXen } from '../../../prepare/boot.ts';
import { carryOut, plan } from '../../../prepare/engine.ts';
import { showChange } from '../../../prepare/files.ts';
import { parseWishes } from '../../../prepare/index.ts';
import { installedPackages, packages, PACKAGES, parseSimulation } from '../../../prepare/packages.ts';
import { directories, settings } from '../../../prepare/settings.ts';
import { change, there, type Verb, type Wishes } from '../../../prepare/types.ts';
import { readFileSync } from 'node:fs';
import { scriptedHost, type Answer, type ScriptedHost } from '../scripted-host.ts';

const wishes: Wishes = { confirm: 'login', bridge: { name: 'xenbr0', port: 'eth0' } };
const quiet = { signal: new AbortController().signal, emit: () => undefined };

/** Verbs that each put one word into a list, and take it off again. */
function verbs(done: string[], fails: { do?: string; undo?: string; verify?: string } = {}): Verb[] {
  return ['one', 'two', 'three'].map((name) => ({
    name,
    look: () => Promise.resolve(done.includes(name) && fails.verify !== name ? there(name) : change(`no ${name}`, [`make ${name}`])),
    do: ({ onUndo }) => {
      onUndo(`unmake ${name}`, () => {
        if (fails.undo === name) return Promise.reject(new Error('stuck'));
        done.splice(done.indexOf(name), 1);
        return Promise.resolve();
      });
      done.push(name);
      return fails.do === name ? Promise.reject(new Error(`${name} broke`)) : Promise.resolve();
    },
  }));
}

describe('a run', () => {
  const host = () => scriptedHost(() => undefined);

  it('shows without changing, does each in order, and the second time nothing', async () => {
    const done: string[] = [];
    expect((await plan(verbs(done), { host: host(), wishes })).map(({ state }) => state)).toEqual(['change', 'change', 'change']);
    expect(done).toEqual([]);
    await carryOut(verbs(done), { host: host(), wishes, ...quiet });
    await carryOut(verbs(done), { host: host(), wishes, ...quiet });
    expect(done).toEqual(['one', 'two', 'three']);
  });

  it.each(['one', 'two', 'three'])('when %s fails, all before it are undone in reverse, itself first', async (at) => {
    const done: string[] = [];
    const names = ['one', 'two', 'three'];
    await expect(carryOut(verbs(done, { do: at }), { host: host(), wishes, ...quiet })).rejects.toMatchObject({
      message: `${at} broke`,
      details: {
        undone: names
          .slice(0, names.indexOf(at) + 1)
          .reverse()
          .map((name) => `unmake ${name}`),
      },
    });
    expect(done).toEqual([]);
  });

  it('a step that was done and is not so when looked at again is undone, too', async () => {
    const done: string[] = [];
    await expect(carryOut(verbs(done, { verify: 'two' }), { host: host(), wishes, ...quiet })).rejects.toThrow(
      /two was done and is not so/,
    );
    expect(done).toEqual([]);
  });

  it('an undo that fails is listed, and the others run', async () => {
    const done: string[] = [];
    await expect(carryOut(verbs(done, { do: 'three', undo: 'two' }), { host: host(), wishes, ...quiet })).rejects.toMatchObject({
      type: 'NeedsCleanup',
      details: { undone: ['unmake three', 'unmake one'], leftovers: ['unmake two: stuck'] },
    });
    expect(done).toEqual(['two']);
  });

  it('a refusal of the last verb comes before the first changes anything', async () => {
    const done: string[] = [];
    const refusing: Verb = { name: 'four', look: () => Promise.reject(new Error('not that disk')), do: () => Promise.resolve() };
    await expect(carryOut([...verbs(done), refusing], { host: host(), wishes, ...quiet })).rejects.toThrow('not that disk');
    expect(done).toEqual([]);
  });

  it('an interrupt between two steps undoes those that were done', async () => {
    const done: string[] = [];
    const interrupt = new AbortController();
    const emit = ({ event }: { event: string }): void => {
      if (event === 'step' && done.length === 1) interrupt.abort();
    };
    await expect(carryOut(verbs(done), { host: host(), wishes, emit, signal: interrupt.signal })).rejects.toMatchObject({
      type: 'Cancelled',
    });
    expect(done).toEqual([]);
  });
});

describe('settings and directories', () => {
  async function furnished(): Promise<ScriptedHost> {
    const its = scriptedHost(() => undefined);
    for (const [path, text] of Object.entries({
      '/etc/xen/xl.conf': '## Global\n#autoballoon="auto"\n# default bridge device\n#vif.default.bridge="xenbr1"\n',
      '/etc/default/xen': '# Configuration\n',
      '/etc/xen-tools/distributions.conf': 'bookworm = debian pygrub\n',
    })) {
      await its.files.makeDirectory(path.slice(0, path.lastIndexOf('/')));
      await its.files.writeAtomic(path, text, 0o644);
    }
    return its;
  }
  const text = async (its: ScriptedHost, path: string) => String(await its.files.read(path));

  it('are shown as a difference, written, and nothing the second time', async () => {
    const its = await furnished();
    expect((await settings.look({ host: its, wishes })).changes).toEqual([
      '/etc/xen/xl.conf',
      '- #vif.default.bridge="xenbr1"',
      '+ vif.default.bridge="xenbr0"',
      '/etc/default/xen',
      '+ XENCONSOLED_ARGS="--log=guest --log-dir=/var/log/xen/console"',
      '/etc/xen-tools/distributions.conf',
      '- bookworm = debian pygrub',
      '+ bookworm = debian',
    ]);
    await carryOut([settings, directories], { host: its, wishes, ...quiet });
    expect((await plan([settings, directories], { host: its, wishes })).map(({ state }) => state)).toEqual(['there', 'there']);
    expect((await its.files.info('/var/lib/guestflow/golden'))?.mode).toBe(0o700);
  });

  it('are put back when a later step fails', async () => {
    const its = await furnished();
    const before = await text(its, '/etc/xen/xl.conf');
    const failing: Verb = { name: 'x', look: () => Promise.resolve(change('x', [])), do: () => Promise.reject(new Error('broke')) };
    await expect(carryOut([settings, directories, failing], { host: its, wishes, ...quiet })).rejects.toMatchObject({ message: 'broke' });
    expect(await text(its, '/etc/xen/xl.conf')).toBe(before);
    expect(its.calls.filter((call) => call.startsWith('rmdir'))).toContain('rmdir --ignore-fail-on-non-empty -- /home/xen/domains');
  });

  it('say what they will be before the packages have brought the files, and refuse a link', async () => {
    const its = scriptedHost(() => undefined);
    expect((await settings.look({ host: its, wishes })).changes[0]).toMatch(
      /xl\.conf: vif\.default\.bridge="xenbr0" \(when package xen-utils-common/,
    );
    const linked = await furnished();
    await linked.files.remove('/etc/default/xen');
    await linked.files.symlink('/etc/shared', '/etc/default/xen');
    await expect(settings.look({ host: linked, wishes })).rejects.toMatchObject({
      type: 'NotOurs',
      details: { value: '/etc/default/xen' },
    });
  });

  it('keep what the operator has set', () => {
    expect(withConsoleLog('XENCONSOLED_ARGS=""\n')).toBe('XENCONSOLED_ARGS=""\n');
    expect(withDefaultBridge('vif.default.bridge = "old"\nx=1\n', 'xenbr0')).toBe('vif.default.bridge="xenbr0"\nx=1\n');
    expect(withDefaultBridge('', 'xenbr0')).toBe('vif.default.bridge="xenbr0"\n');
    expect(withoutPygrub('a = debian\nb = ubuntu pygrub x\n')).toBe('a = debian\nb = ubuntu x\n');
    expect(showChange({ path: '/x', before: 'a\nb\nc\n', after: 'a\nB\nc\n' })).toEqual(['/x', '- b', '+ B']);
  });
});

const GRUB = `set default="Debian GNU/Linux, with Xen hypervisor"
menuentry 'Debian GNU/Linux' --class gnu-linux $menuentry_id_option 'gnulinux-simple-1' {
	linux	/boot/vmlinuz-6.1
}
submenu 'Advanced options for Debian GNU/Linux' $menuentry_id_option 'gnulinux-advanced-1' {
	menuentry 'Debian GNU/Linux, with Linux 6.1' --class gnu-linux $menuentry_id_option 'gnulinux-6.1' {
		linux	/boot/vmlinuz-6.1
	}
}
menuentry 'Debian GNU/Linux, with Xen hypervisor' --class xen $menuentry_id_option 'xen-gnulinux-simple-1' {
	multiboot2	/boot/xen-4.17-amd64.gz placeholder dom0_mem=2048M,max:2048M \${xen_rm_opts}
	module2	/boot/vmlinuz-6.1 placeholder root=/dev/vda1 ro
}
`;

describe('the boot menu', () => {
  it('has entries of the top level, and a default by title, id or number', () => {
    expect(bootEntries(GRUB).map(({ id, isXen }) => [id, isXen])).toEqual([
      ['gnulinux-simple-1', false],
      ['xen-gnulinux-simple-1', true],
    ]);
    expect(defaultEntry(GRUB)?.isXen).toBe(true);
    expect(defaultEntry(GRUB.replace(/set default=.*/, 'set default="xen-gnulinux-simple-1"'))?.isXen).toBe(true);
    expect(defaultEntry(GRUB.replace(/set default=.*/, 'set default="0"'))?.isXen).toBe(false);
  });

  it('boots Xen with the memory that is wished, or it is said why not', () => {
    expect(whyNotXen(GRUB, { dom0MemoryMiB: 2048 })).toBeUndefined();
    expect(whyNotXen(GRUB, {})).toBeUndefined();
    expect(whyNotXen(GRUB, { dom0MemoryMiB: 1024 })).toMatch(/dom0_mem=1024M,max:1024M/);
    expect(whyNotXen(GRUB.replace(/set default=.*/, 'set default="0"'), {})).toMatch(/boots "Debian GNU\/Linux" by default, not Xen/);
    expect(grubSettings(2048)).toContain('GRUB_CMDLINE_XEN_DEFAULT="$GRUB_CMDLINE_XEN_DEFAULT dom0_mem=2048M,max:2048M"');
  });
});

describe('packages', () => {
  const control = readFileSync(new URL('../../../deploy/dom0/DEBIAN/control', import.meta.url), 'utf8');

  it('are all that the dom0 worker’s package depends on and recommends, and Xen', () => {
    const depends = (/^Depends: (.*)$/m.exec(control)?.[1] ?? '').split(', ').map((name) => name.replace(/ .*/, ''));
    // libc6, libstdc++6 and passwd come with Debian and apt; xen-utils with xen-system.
    const ours = depends.filter((name) => !/^lib|^passwd$|^xen-utils/.test(name));
    const recommended = (/^Recommends: (.*)$/m.exec(control)?.[1] ?? '').split(', ').map((name) => name.replace(/ .*/, ''));
    expect(PACKAGES).toEqual(expect.arrayContaining([...ours, ...recommended]));
    expect(PACKAGES).toContain('xen-system-amd64');
  });

  it('that were installed by a step that failed are purged, and no others', async () => {
    let installed = 'ii systemd\nii udev\nrc old\nhi mount\n';
    const its = scriptedHost((command) => {
      if (command.startsWith('dpkg-query')) return { stdout: installed };
      if (command.startsWith('dpkg ')) return { stdout: 'amd64\n' };
      if (command.startsWith('apt-cache'))
        return { stdout: [...PACKAGES, 'linux-image-amd64'].map((name) => `${name}:\n  Installed: (none)\n  Candidate: 1\n`).join('') };
      if (command.includes('purge --simulate')) return { stdout: 'Purg lvm2 [1]\nPurg dump [2]\n' };
      if (command.includes('purge --yes')) installed = installed.replace('ii lvm2\nii dump\n', '');
      if (command.startsWith('apt-get install')) {
        installed += 'ii lvm2\nii dump\n';
        return { code: 100, stderr: 'E: Sub-process /usr/bin/dpkg returned an error code (1)' };
      }
      return undefined;
    });
    await expect(carryOut([packages], { host: its, wishes, ...quiet })).rejects.toMatchObject({
      details: { undone: ['purge the packages that were installed'] },
    });
    expect(its.calls.at(-1)).toMatch(/purge --yes .* -- lvm2 dump$/);
    expect([...(await installedPackages(its))]).toEqual(['systemd', 'udev', 'mount']);
  });

  const brokenInstall = (purge: (command: string) => Answer | undefined): ReturnType<typeof scriptedHost> => {
    let installed = 'ii systemd\nii udev\n';
    return scriptedHost((command) => {
      if (command.startsWith('dpkg-query')) return { stdout: installed };
      if (command.startsWith('dpkg ')) return { stdout: 'amd64\n' };
      if (command.startsWith('apt-cache'))
        return { stdout: [...PACKAGES, 'linux-image-amd64'].map((name) => `${name}:\n  Installed: (none)\n  Candidate: 1\n`).join('') };
      if (command.startsWith('apt-get purge')) return purge(command);
      if (!command.startsWith('apt-get install')) return undefined;
      installed += 'ii perl\nii e2fsprogs\n';
      return { code: 100, stderr: 'E: Sub-process /usr/bin/dpkg returned an error code (1)' };
    });
  };

  it('are purged, the half-unpacked ones too, when the dpkg of an apt that was ended has let go of its lock', async () => {
    let locked = 0;
    let installed = 'ii systemd\nit udev\n';
    const its = scriptedHost((command) => {
      if (command.startsWith('dpkg-query')) return { stdout: installed };
      if (command.startsWith('dpkg --configure') && locked > 0) {
        locked -= 1;
        return { code: 2, stderr: 'dpkg: error: dpkg frontend lock was locked by another process with pid 645' };
      }
      if (command.startsWith('dpkg ')) return { stdout: 'amd64\n' };
      if (command.startsWith('apt-cache'))
        return { stdout: [...PACKAGES, 'linux-image-amd64'].map((name) => `${name}:\n  Installed: (none)\n  Candidate: 1\n`).join('') };
      if (command.startsWith('apt-get purge')) return locked > 0 ? { code: 100, stderr: 'E: Unable to lock' } : { stdout: '' };
      if (!command.startsWith('apt-get install')) return undefined;
      locked = 2;
      installed += 'ii lvm2\niU dump\niF initramfs-tools\nrc gone\n';
      return { code: 100, stderr: 'ended' };
    });
    await expect(carryOut([packages], { host: its, wishes, ...quiet })).rejects.toMatchObject({ type: 'ToolFailed' });
    expect(its.calls.find((call) => call.startsWith('apt-get install'))).not.toMatch(/ (udev|systemd)( |$)/);
    expect(its.calls.at(-1)).toMatch(/purge --yes .* -- lvm2 dump initramfs-tools$/);
  });

  it('stay when another package would go with them', async () => {
    const its = brokenInstall(() => ({ stdout: 'Purg perl [5]\nPurg e2fsprogs [1]\nRemv mine [1]\nPurg theirs [1]\n' }));
    await expect(carryOut([packages], { host: its, wishes, ...quiet })).rejects.toMatchObject({
      type: 'NeedsCleanup',
      details: { leftovers: [expect.stringContaining('would remove mine theirs, too')] },
    });
    expect(its.calls.filter((call) => call.includes('purge --yes'))).toEqual([]);
  });

  it('are purged when one of them is protected, as e2fsprogs of Debian 13 is', async () => {
    const its = brokenInstall((command) => {
      if (command.includes('--simulate')) return { stdout: 'Purg perl [5]\nPurg e2fsprogs [1]\n' };
      if (command.includes(' --allow-remove-essential ')) return {};
      return { code: 100, stderr: 'E: Essential packages were removed and -y was used without --allow-remove-essential.' };
    });
    await expect(carryOut([packages], { host: its, wishes, ...quiet })).rejects.toMatchObject({ type: 'ToolFailed' });
    expect(its.calls.at(-1)).toMatch(/purge --yes .* -- perl e2fsprogs$/);
  });

  it('that apt does not have are refused by name before anything is installed', async () => {
    const its = scriptedHost((command) => {
      if (command.startsWith('dpkg ')) return { stdout: 'amd64\n' };
      if (command.startsWith('apt-cache'))
        return {
          stdout:
            PACKAGES.map((name) => `${name}:\n  Installed: (none)\n  Candidate: ${name === 'xen-tools' ? '(none)' : '1'}\n`).join('') +
            'linux-image-amd64:\n  Installed: (none)\n  Candidate: 1\n',
        };
      return undefined;
    });
    await expect(carryOut([packages], { host: its, wishes, ...quiet })).rejects.toMatchObject({
      type: 'HostNotReady',
      details: { value: 'xen-tools' },
    });
    expect(its.calls.filter((call) => call.startsWith('apt-get install'))).toEqual([]);
  });

  it('are read off apt’s simulation', () => {
    expect(parseSimulation('Inst lvm2 (2.03 Debian:12 [amd64])\nConf lvm2\nRemv x [1]\nInst a:i386 (1)\n', 'Inst')).toEqual(['lvm2', 'a']);
    expect(parseSimulation('Purg lvm2 [1]\nRemv x [1]\nInst a:i386 (1)\n', 'Remv')).toEqual(['lvm2', 'x']);
  });
});

describe('flags', () => {
  it('become wishes', () => {
    expect(parseWishes({ bridge: 'xenbr0=eth0', volumeGroup: 'vg01=/dev/sdb,/dev/disk/by-id/x', dom0Memory: '2GiB' })).toEqual({
      bridge: { name: 'xenbr0', port: 'eth0' },
      volumeGroup: { name: 'vg01', devices: ['/dev/sdb', '/dev/disk/by-id/x'] },
      dom0MemoryMiB: 2048,
      confirm: 'login',
    });
  });

  it.each([
    [{ bridge: 'xenbr0' }],
    [{ bridge: 'eth0=eth0' }],
    [{ bridge: 'x;reboot=eth0' }],
    [{ bridge: 'xenbr0=-a' }],
    [{ bridge: 'abcdefghijklmnop=eth0' }],
    [{ volumeGroup: 'vg01' }],
    [{ volumeGroup: 'vg01=sdb' }],
    [{ volumeGroup: '-vg=/dev/sdb' }],
    [{ dom0Memory: '2' }],
    [{ dom0Memory: 'much' }],
  ])('%o is refused with field and value', (flags) => {
    expect(() => parseWishes(flags)).toThrow(expect.objectContaining({ type: 'InvalidInput' }) as Error);
  });
});
