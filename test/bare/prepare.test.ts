/**
 * A bare Debian in QEMU becomes a dom0 by `guestflow dom0 prepare --ssh`, and boots into Xen by its own boot loader. Half an hour a
 * release under emulation: whoever asks (`GUESTFLOW_LAB=bare`).
 */
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { createRunner, type RunResult } from '../../system/run.ts';
import { stopServer, type ServerProcess } from '../../system/run-server.ts';
import { machineSources } from '../../lab/apt.ts';
import { bootBareHost, makeBareHost, type BareHost } from '../../lab/bare.ts';
import { BARE_ADDRESSES, BARE_RELEASES, makeBareTree, type BareRelease } from '../../lab/bare-tree.ts';
import { PACKAGES } from '../../prepare/packages.ts';

const IS_ASKED_FOR = process.env['GUESTFLOW_LAB'] === 'bare';
const HOUR_MS = 60 * 60_000;
const runner = createRunner();
const ROOT = join(import.meta.dirname, '../..');

describe.runIf(IS_ASKED_FOR).each(Object.keys(BARE_RELEASES) as BareRelease[])('a bare Debian %s', (release) => {
  let host: BareHost;
  let machine: ServerProcess | undefined;
  afterAll(async () => {
    if (machine !== undefined) await stopServer(machine);
    await rm(host.folder, { recursive: true, force: true });
  });

  const inside = async (line: string): Promise<string> =>
    (await runner.run('ssh', ['-F', host.sshConfig, '-o', 'BatchMode=yes', '--', 'bare', line], { timeoutMs: 120_000 })).stdout;
  const prepare = async (...flags: string[]): Promise<RunResult> =>
    await runner.run('node', ['bin/guestflow.mjs', 'dom0', 'prepare', '--ssh', 'bare', '--ssh-config', host.sshConfig, ...flags], {
      cwd: ROOT,
      timeoutMs: HOUR_MS,
      okCodes: [0, 3],
    });
  const WISHES = ['--bridge', 'xenbr0=eth0', '--volume-group', 'vg01=/dev/vdb', '--dom0-memory', '1GiB'];

  it(
    'lacks all of it, and boots by its own boot loader',
    async () => {
      const folder = await mkdtemp(join(tmpdir(), 'gf-bare-tree-'));
      try {
        const files = await missingPackages(release, folder);
        const mirror = (await machineSources(release))[0]?.uri ?? '';
        const later = PACKAGES.filter((name) => !(name === 'xen-tools' && files.length > 0));
        await makeBareTree({ runner, release, mirror, later, files }, join(folder, 'tree'));
        host = await makeBareHost(runner, release, join(folder, 'tree'));
      } finally {
        await runner.run('rm', ['-rf', '--one-file-system', '--', folder]);
      }
      machine = await bootBareHost(host);
      expect(await inside('command -v xl lvm brctl xen-create-image || echo none')).toBe('none\n');
    },
    HOUR_MS,
  );

  it(
    'refuses a disk that holds something, and shows what it would do without doing it',
    async () => {
      expect((await prepare('--volume-group', 'vg01=/dev/vdc', '--yes')).stderr).toMatch(
        /\/dev\/vdc cannot be used: it has a signature of ext4/,
      );
      const { stdout } = await prepare(...WISHES, '--dry-run');
      expect(stdout).toMatch(/pvcreate \/dev\/vdb/);
      expect(stdout).toMatch(/then a reboot: Xen is not installed yet/);
      expect(await inside('command -v xl || ls /etc/xen || echo none')).toContain('none');
    },
    HOUR_MS,
  );

  it(
    'becomes a dom0 that runs Xen, with bridge and volume group; the second time there is nothing to do',
    async () => {
      expect((await prepare(...WISHES, '--yes', '--reboot')).stdout).toMatch(/bare is ready to be a dom0/);
      expect(await inside('xl info xen_commandline; cat /proc/xen/capabilities')).toMatch(/dom0_mem=1024M,max:1024M[^]*control_d/);
      const addresses = await inside('ip -brief address show dev xenbr0; ls /sys/class/net/xenbr0/brif; ip route show default');
      for (const word of [
        `${BARE_ADDRESSES.ip}/24`,
        `${BARE_ADDRESSES.ip6}/64`,
        'eth0',
        `default via ${BARE_ADDRESSES.gateway} dev xenbr0`,
      ])
        expect(addresses).toContain(word);
      expect(await inside('vgs --noheadings --options vg_name,pv_name')).toMatch(/vg01\s+\/dev\/vdb/);
      const again = await prepare(...WISHES);
      expect(again.stdout).not.toMatch(/ change /);
      expect(again.code).toBe(0);
    },
    HOUR_MS,
  );

  it('refuses a second bridge of the same interface', async () => {
    expect((await prepare('--bridge', 'br1=eth0')).stderr).toMatch(/eth0 belongs to xenbr0 already/);
  });
});

/** Debian 13 has no xen-tools: those of the machine's own release are taken, which are Perl. */
async function missingPackages(release: BareRelease, folder: string): Promise<string[]> {
  if (release !== 'trixie') return [];
  await runner.run('apt-get', ['download', 'xen-tools'], { cwd: folder });
  return (await readdir(folder)).filter((name) => name.endsWith('.deb')).map((name) => join(folder, name));
}
