import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { errorOf, run } from './run.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'guestflow-check-'));
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

const FACTS = {
  host: 'xen1',
  seenAt: '',
  xenVersion: '4.17',
  memoryBytes: 2 ** 32,
  memoryFreeBytes: 2 ** 28 + 2 ** 21,
  cpus: 2,
  pools: [{ name: 'vg01', sizeBytes: 2 ** 33, freeBytes: 2 ** 32 }],
  imageDirFreeBytes: 2 ** 33,
  network: { cidr: '192.168.77.0/24', gateway: '192.168.77.1', bridge: 'xenbr0' },
  addresses: [{ ip: '192.168.77.10', guest: 'other' }],
  workerVersion: '0.1.0',
  domains: [],
};

/** The order that `--check --json` prints. */
async function checked(argv: string[], options: Parameters<typeof run>[1] = {}): Promise<Record<string, unknown>> {
  const { code, stdout, stderr } = await run(['provision', ...argv, '--check', '--json'], options);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return (JSON.parse(stdout) as { order: Record<string, unknown> }).order;
}

describe('provision --check', () => {
  it('needs no server, and prints the order as it would be placed', async () => {
    expect(
      await checked(['guest1', '--memory', '512Mb', '--vcpus', '2', '--extra', 'clocksource=jiffies', '--extra', 'quiet']),
    ).toMatchObject({ name: 'guest1', order: 'manual-guest1', memoryBytes: 2 ** 29, vcpus: 2, extra: ['clocksource=jiffies', 'quiet'] });
  });

  it('takes the same order from flags, from a YAML file and from JSON on standard input', async () => {
    const path = join(folder, 'order.yaml');
    writeFileSync(path, 'name: guest1\nplan: medium\nip: 10.32.0.136\nnetmask: 255.255.252.0\ngateway: 10.32.0.1\n');
    const json = JSON.stringify({ name: 'guest1', plan: 'medium', ip: '10.32.0.136', netmask: '255.255.252.0', gateway: '10.32.0.1' });
    const byFlags = await checked([
      'guest1',
      '--plan',
      'medium',
      '--ip',
      '10.32.0.136',
      '--netmask',
      '255.255.252.0',
      '--gateway',
      '10.32.0.1',
    ]);
    expect(await checked(['--file', path])).toEqual(byFlags);
    expect(await checked(['--file', '-'], { input: json })).toEqual(byFlags);
  });

  it('takes dom0 and plans from the environment', async () => {
    const plans = join(folder, 'plans.yaml');
    writeFileSync(plans, 'tiny: {memory: 256Mb, vcpus: 1, disk: 1Gb, swap: 16Mb}');
    expect(await checked(['guest1'], { env: { GUESTFLOW_DOM0: 'xen7', GUESTFLOW_PLANS: plans } })).toMatchObject({
      dom0: 'xen7',
      plan: 'tiny',
    });
    expect(await checked(['guest1', '--plans', plans])).toMatchObject({ plan: 'tiny' });
  });

  it('shows neither a password nor its hash', async () => {
    const { code, stdout } = await run(['provision', 'guest1', '--password-stdin', '--check', '--json'], { input: 'hunter2\nrest' });
    expect(code).toBe(0);
    expect(stdout).not.toMatch(/hunter2|\$6\$/);
    expect((JSON.parse(stdout) as { order: { passwordHash: string } }).order.passwordHash).toBe('set');
  });

  it('with --facts checks sizes and address against the dom0', async () => {
    const facts = join(folder, 'facts.json');
    writeFileSync(facts, JSON.stringify(FACTS));
    expect((await run(['provision', 'guest1', '--check', '--facts', facts])).code).toBe(0);
    const short = await run(['provision', 'guest1', '--memory', '1GiB', '--check', '--facts', facts, '--json']);
    expect(short.code).toBe(3);
    expect(errorOf(short)).toMatchObject({ type: 'NoCapacity', field: 'memory' });
    const taken = await run(['provision', 'guest1', '--ip', '192.168.77.10', '--check', '--facts', facts, '--json']);
    expect(taken.code).toBe(2);
    expect(errorOf(taken)).toMatchObject({ type: 'InvalidInput', field: 'ip', value: '192.168.77.10' });
  });
});
