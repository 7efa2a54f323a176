/** The suite that the fake dom0 passes, on the real one. It takes six minutes and more: CI runs it, and whoever asks (`GUESTFLOW_LAB`). */
import { describe, inject } from 'vitest';
import { describeDom0Contract } from '../contract/dom0-contract.ts';
import { labHost } from './lab-host.ts';
import { HAS_CONTRACT, IS_FULL } from './rig.ts';

describe.runIf(HAS_CONTRACT)('contract', () => {
  describeDom0Contract(
    'the lab',
    async () => {
      const host = labHost(inject('lab').sshConfigFile);
      const imageDir = '/home/xen/contract';
      await host.files.makeDirectory(imageDir);
      const [vg, thinPool] = ['vg01', 'contract'];
      await host.run('lvcreate', ['--type', 'thin-pool', '--zero', 'y', '-L', '256m', '-n', thinPool, vg]);
      const cleanup = async (): Promise<void> => {
        await host.run('lvremove', ['-qq', '--yes', `${vg}/${thinPool}`]);
        await host.files.removeTree(imageDir);
        host.close();
      };
      return { host, vg, thinPool, imageDir, cleanup };
    },
    IS_FULL,
  );
});
