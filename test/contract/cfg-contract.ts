/** xl's dry run: what it reads of good cfgs and of bad ones, and cfgs whose domain cannot be made. */
import { afterAll, describe, expect, test } from 'vitest';
import { dryRun, findDomain, hostInfo } from '../../activities/dom0/toolstack/xl/xl.ts';
import { createDomain } from '../../activities/dom0/toolstack/xl/xl-create.ts';
import { toolErrorOf, type ContractContext } from './contract-context.ts';

const GOOD = {
  name: "'guest1'",
  type: "'pv'",
  kernel: "'/boot/vmlinuz'",
  ramdisk: "'/boot/initrd.img'",
  root: "'/dev/xvda2 ro'",
  memory: '256',
  vcpus: '1',
  disk: "['phy:/dev/vg01/g-root,xvda2,w', 'file:/home/xen/swap.img,xvda1,w']",
  vif: "['ip=10.0.0.5,mac=00:16:3E:A3:69:9C,bridge=xenbr0']",
  on_crash: "'destroy'",
};

type Json = Record<string, unknown>;

function cfgText(changes: Record<string, string>): string {
  return Object.entries({ ...GOOD, ...changes })
    .map(([key, value]) => `${key} = ${value}\n`)
    .join('');
}

export function describeCfgContract(context: () => ContractContext): void {
  describe('cfg files', () => {
    const made: string[] = [];
    const write = async (text: string): Promise<string> => {
      const { host, imageDir, name } = context();
      const path = `${imageDir}/${name('cfg')}.cfg`;
      made.push(path);
      await host.files.writeAtomic(path, text);
      return path;
    };
    afterAll(async () => {
      for (const path of made) await context().host.files.remove(path);
    });
    const read = async (changes: Record<string, string> = {}): Promise<{ config: Json; built: Json; warnings: string }> => {
      const { config, warnings } = await dryRun(context().host, await write(cfgText(changes)));
      return { config: config as Json, built: (config as { b_info: Json }).b_info, warnings: warnings.join('\n') };
    };

    test('a good cfg is read as it was meant, without a warning', async () => {
      const { config, built, warnings } = await read();
      expect(warnings).toBe('');
      expect(config).toMatchObject({
        c_info: { name: 'guest1', type: 'pv' },
        disks: [
          { pdev_path: '/dev/vg01/g-root', vdev: 'xvda2' },
          { pdev_path: '/home/xen/swap.img', vdev: 'xvda1' },
        ],
        nics: [{ mac: '00:16:3e:a3:69:9c', bridge: 'xenbr0', ip: '10.0.0.5' }],
      });
      expect(built).toMatchObject({ max_vcpus: 1, target_memkb: 256 * 1024, kernel: '/boot/vmlinuz', ramdisk: '/boot/initrd.img' });
    });

    test('a rate of a vif is read as bytes in 50 ms', async () => {
      const { config, warnings } = await read({ vif: "['mac=00:16:3E:A3:69:9C,bridge=xenbr0,rate=100Mb/s']" });
      expect(warnings).toBe('');
      expect(config).toMatchObject({ nics: [{ rate_bytes_per_interval: 625_000, rate_interval_usecs: 50_000 }] });
    });

    test('of a time stamp counter that is named by a word, it may be said how it was read', async () => {
      // Xen 4.17 says it, 4.20 says nothing.
      expect(['got a tsc mode string: "native"', '']).toContain((await read({ tsc_mode: '"native"' })).warnings);
    });

    test('the script of a vif is read as it is named, and where none is named there is none', async () => {
      const { config } = await read({ vif: "['ip=10.0.0.5,mac=00:16:3E:A3:69:9C,bridge=xenbr0,script=vif-guestflow','bridge=xenbr0']" });
      expect((config['nics'] as Json[]).map(({ script }) => script)).toEqual(['vif-guestflow', undefined]);
    });

    test('room to grow is read beside what the guest starts with', async () => {
      const { built, warnings } = await read({ maxmem: '1024', vcpus: '2', maxvcpus: '4' });
      expect(warnings).toBe('');
      expect(built).toMatchObject({ target_memkb: 256 * 1024, max_memkb: 1024 * 1024, max_vcpus: 4, avail_vcpus: [0, 1] });
    });

    test('numbers in quotes are numbers', async () => {
      expect((await read({ memory: "'256'" })).built['target_memkb']).toBe(256 * 1024);
    });

    test('memory and vcpus that are no numbers are dropped with a warning, and xl ends well', async () => {
      const memory = await read({ memory: "'512Mb'" });
      expect(memory.warnings).toMatch(/parameter `memory'/);
      expect(memory.built['target_memkb']).not.toBe(512 * 1024);
      const vcpus = await read({ vcpus: "'two'" });
      expect(vcpus.warnings).toMatch(/parameter `vcpus'/);
      expect(vcpus.built['max_vcpus']).not.toBe(2);
    });

    test('a disk that is no list is dropped with a warning', async () => {
      const { config, warnings } = await read({ disk: "'phy:/dev/vg01/g-root,xvda2,w'" });
      expect(warnings).toMatch(/parameter `disk' is a single value but should be a list/);
      expect(config['disks'] ?? []).toEqual([]);
    });

    test('a misspelt key of a vif is dropped, and the bridge is not the one that was meant', async () => {
      const { config, warnings } = await read({ vif: "['mac=00:16:3E:A3:69:9C,brigde=xenbr7']" });
      expect(warnings).toMatch(/unrecognized argument/);
      expect((config['nics'] as Json[])[0]?.['bridge']).not.toBe('xenbr7');
    });

    test('the blank that xen-tools leaves behind the address stays in it', async () => {
      const { config } = await read({ vif: "['ip=10.0.0.5 ,mac=00:16:3E:A3:69:9C,bridge=xenbr0']" });
      expect((config['nics'] as Json[])[0]?.['ip']).toBe('10.0.0.5 ');
    });

    test('what xl cannot parse ends with code 1, and what is not there with 3', async () => {
      const { host, imageDir } = context();
      expect(await toolErrorOf(dryRun(host, await write("name = 'guest1\n")))).toMatchObject({
        code: 1,
        stderr: expect.stringMatching(/config parsing error/) as string,
      });
      expect(await toolErrorOf(dryRun(host, `${imageDir}/no-such.cfg`))).toMatchObject({
        code: 3,
        stderr: expect.stringMatching(/Failed to read config file/) as string,
      });
      expect((await toolErrorOf(dryRun(host, await write(cfgText({ vcpus: '4', maxvcpus: '2' }))))).code).toBe(1);
    });

    test('a domain whose disk is not there is not made, and leaves nothing in the list', async () => {
      const { host, imageDir, name } = context();
      const guest = name('guest');
      const { release } = await hostInfo(host);
      const path = await write(
        cfgText({
          name: `'${guest}'`,
          kernel: `'/boot/vmlinuz-${release}'`,
          ramdisk: `'/boot/initrd.img-${release}'`,
          disk: `['file:${imageDir}/no-such-image.img,xvda2,w']`,
          vif: '[]',
          memory: '64',
        }),
      );
      const error = await toolErrorOf(createDomain(host, path));
      expect(error.code).toBe(3);
      expect(error.stderr).toMatch(/failed to stat|No such file/);
      expect(await findDomain(host, guest)).toBeUndefined();
    });
  });
}
