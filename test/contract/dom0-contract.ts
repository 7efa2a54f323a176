/**
 * What the ports and the tool modules promise on any dom0. The same suite runs on the fake and, in the lab, on the real thing: where they differ, the
 * fake is wrong. It makes only volumes of a few extents and files below `imageDir`, all with names of its own, and starts no guest.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { describeBackupPortContract } from './backup-port-contract.ts';
import { prepareDirectory } from '../../activities/dom0/storage/file/directory.ts';
import { describeCfgContract } from './cfg-contract.ts';
import type { ContractContext, ContractDom0 } from './contract-context.ts';
import { describeFileContract } from './file-contract.ts';
import { describeStorageContract } from './storage-contract.ts';
import { AS_FILES, describeStoragePortContract, IN_THIN_POOL, IN_VOLUME_GROUP } from './storage-port-contract.ts';
import { describeToolstackPortContract } from './toolstack-port-contract.ts';
import { describeVolumeContract } from './volume-contract.ts';
import { describeXlContract } from './xl-contract.ts';

export type { ContractDom0 } from './contract-context.ts';

/** @param isWhole also what a thin pool does as the volume group does it. Default: it is */
export function describeDom0Contract(name: string, makeHost: () => Promise<ContractDom0>, isWhole = true): void {
  describe(`dom0: ${name}`, () => {
    let made: ContractDom0 | undefined;
    let names = 0;
    const context = (): ContractContext => {
      if (made === undefined) throw new Error('there is no dom0');
      return { ...made, name: (what) => `gfc${String(process.pid)}-${what}${String((names += 1))}` };
    };
    beforeAll(async () => {
      made = await makeHost();
      await prepareDirectory({ host: made.host, directory: `${made.imageDir}/disks` }, `${made.imageDir}/state`);
    });
    afterAll(async () => {
      await made?.cleanup();
    });

    test('the volume group and the image directory of the suite exist', async () => {
      const { host, imageDir } = context();
      expect((await host.files.info(imageDir))?.kind).toBe('directory');
    });
    describeStoragePortContract('disks of the volume group', context, IN_VOLUME_GROUP);
    describeStoragePortContract('disks of a thin pool', context, IN_THIN_POOL, isWhole);
    describeStoragePortContract('disks that are files', context, AS_FILES);
    describeBackupPortContract(context);
    describeToolstackPortContract(context);
    describeVolumeContract(context);
    describeStorageContract(context);
    describeXlContract(context);
    describeCfgContract(context);
    describeFileContract(context);
  });
}
