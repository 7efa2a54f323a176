/** xl without a guest: lists, facts, and what it says of domains that are not there. */
import { describe, expect, test } from 'vitest';
import { hasBridge, whoAnswers } from '../../activities/dom0/tools/net.ts';
import {
  awaitGone,
  consoleTail,
  destroyDomain,
  findDomain,
  hostInfo,
  listDomains,
  listVcpus,
  pauseDomain,
  setMemory,
  setVcpus,
  shutdownDomain,
} from '../../activities/dom0/toolstack/xl/xl.ts';
import { toolErrorOf, type ContractContext } from './contract-context.ts';

/** Ids count up from 1: no dom0 of a test gets there. */
const NOBODY = 30_000;

export function describeXlContract(context: () => ContractContext): void {
  describe('xl', () => {
    test('dom0 is the domain with the id 0', async () => {
      const [dom0] = await listDomains(context().host);
      expect(dom0).toMatchObject({ name: 'Domain-0', id: 0, state: 'running' });
      expect(dom0?.memoryMiB).toBeGreaterThan(0);
      expect(dom0?.vcpus).toBeGreaterThan(0);
    });

    test('a name that no domain has is not found, and is gone at once', async () => {
      const { host, name } = context();
      const nobody = name('nobody');
      expect(await findDomain(host, nobody)).toBeUndefined();
      expect(await awaitGone(host, nobody, 1_000)).toBe(true);
      expect(await consoleTail(host, nobody)).toBe('');
    });

    test('what xl says of a domain that is not there: code 1, and why', async () => {
      const { host } = context();
      expect(await toolErrorOf(destroyDomain(host, NOBODY))).toMatchObject({
        code: 1,
        stderr: expect.stringMatching(/Non-existant domain/) as string,
      });
      expect(await toolErrorOf(shutdownDomain(host, NOBODY))).toMatchObject({
        code: 1,
        stderr: expect.stringMatching(/failed/i) as string,
      });
    });

    test('the vcpus of dom0 are listed, all on', async () => {
      const { host } = context();
      const [dom0] = await listDomains(host);
      const rows = await listVcpus(host, 0);
      expect(rows.filter(({ online }) => online)).toHaveLength(dom0?.vcpus ?? 0);
      expect(rows.map(({ vcpu }) => vcpu)).toEqual(rows.map((_row, index) => index));
    });

    test('memory and vcpus of a domain that is not there cannot be set: code 1, and why', async () => {
      const { host } = context();
      expect(await toolErrorOf(setMemory(host, NOBODY, 256))).toMatchObject({ code: 1, stderr: expect.stringMatching(/memory/) as string });
      expect(await toolErrorOf(setVcpus(host, NOBODY, 1))).toMatchObject({ code: 1 });
      expect(await listVcpus(host, NOBODY)).toEqual([]);
    });

    test('pausing a domain that is not there succeeds, as xl has it', async () => {
      await pauseDomain(context().host, NOBODY);
    });

    test('the facts of the dom0 make sense', async () => {
      const info = await hostInfo(context().host);
      expect(info.xenVersion).toMatch(/^4\.\d+/);
      expect(info.freeMemoryMiB).toBeLessThan(info.totalMemoryMiB);
      expect(info.cpus).toBeGreaterThan(0);
      expect(info.release).not.toBe('');
    });

    test('a bridge that is not there is none, and asking for an address on it fails', async () => {
      const { host } = context();
      expect(await hasBridge(host, 'nosuchbr0')).toBe(false);
      expect((await toolErrorOf(whoAnswers(host, { ip: '192.0.2.1', bridge: 'nosuchbr0' }, '192.0.2.254'))).code).toBe(2);
    });
  });
}
