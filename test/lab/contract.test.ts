/** The suite that the fake dom0 passes, on the real one. It takes six minutes and more: CI runs it, and whoever asks (`GUESTFLOW_LAB`). */
import { describe, inject } from 'vitest';
import { describeDom0Contract } from '../contract/dom0-contract.ts';
import { labHost } from './lab-host.ts';
import { HAS_CONTRACT } from './rig.ts';

describe.runIf(HAS_CONTRACT)('contract', () => {
  describeDom0Contract('the lab', async () => {
    const host = labHost(inject('lab').sshConfigFile);
    const imageDir = '/home/xen/contract';
    await host.files.makeDirectory(imageDir);
    return { host, vg: 'vg01', imageDir, cleanup: () => host.files.removeTree(imageDir) };
  });
});
