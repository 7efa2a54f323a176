/** Whose an address is, asked with the real arping on real bridges in name spaces of their own. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createHost, type Host } from '../../system/host.ts';
import { whoAnswers } from '../../activities/dom0/tools/net.ts';
import { host, titled, whyNotHere } from './machine.ts';

const DOM0 = 'gf-arping-dom0';
const ROUTER = 'gf-arping-router';
const GUEST = 'gf-arping-guest';
const BRIDGE = 'xenbr0';
const GATEWAY = '10.9.0.1';

const why = whyNotHere('ip', 'arping', 'sysctl');

const ip = (...args: string[]): Promise<unknown> => host.run('ip', args);
const inside = (space: string, ...command: string[]): Promise<unknown> => ip('netns', 'exec', space, ...command);

/** A host whose arping runs in dom0's name space. */
function dom0(): Host {
  const real = createHost();
  return { ...real, run: (tool, args, options) => real.run('ip', ['netns', 'exec', DOM0, tool, ...args], options) };
}

async function removeSpaces(): Promise<void> {
  for (const space of [DOM0, ROUTER, GUEST]) await host.run('ip', ['netns', 'del', space], { okCodes: [0, 1] });
}

describe.skipIf(why !== undefined)(titled('an address on a bridge on which dom0 has none', why), () => {
  beforeAll(async () => {
    await removeSpaces();
    for (const space of [DOM0, ROUTER, GUEST]) await ip('netns', 'add', space);
    await ip('-n', DOM0, 'link', 'add', BRIDGE, 'type', 'bridge');
    await ip('-n', DOM0, 'link', 'set', BRIDGE, 'up');
    for (const [space, address] of [
      [ROUTER, `${GATEWAY}/24`],
      [GUEST, '10.9.0.20/24'],
    ] as const) {
      await ip('-n', DOM0, 'link', 'add', `v-${space.slice(-6)}`, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', space);
      await ip('-n', DOM0, 'link', 'set', `v-${space.slice(-6)}`, 'master', BRIDGE);
      await ip('-n', DOM0, 'link', 'set', `v-${space.slice(-6)}`, 'up');
      await ip('-n', space, 'link', 'set', 'eth0', 'up');
      await ip('-n', space, 'addr', 'add', address, 'dev', 'eth0');
    }
  }, 60_000);
  afterAll(removeSpaces);

  const ask = (address: string): Promise<unknown> => whoAnswers(dom0(), { ip: address, bridge: BRIDGE }, GATEWAY);

  it('is somebody’s when a machine has it, with its MAC', async () => {
    expect(await ask('10.9.0.20')).toEqual({ mac: expect.stringMatching(/^([0-9A-F]{2}:){5}[0-9A-F]{2}$/) as string });
    expect(await ask(GATEWAY)).toEqual({ mac: expect.any(String) as string });
  });

  it('is nobody’s when no machine has it', async () => {
    expect(await ask('10.9.0.30')).toBe('nobody');
  });

  it('is nobody’s when a Linux router would answer for everybody', async () => {
    await inside(
      ROUTER,
      'sysctl',
      '-qw',
      'net.ipv4.ip_forward=1',
      'net.ipv4.conf.eth0.proxy_arp=1',
      'net.ipv4.conf.eth0.proxy_arp_pvlan=1',
    );
    expect(await ask('10.9.0.30')).toBe('nobody');
    expect(await ask('10.9.0.20')).toEqual({ mac: expect.any(String) as string });
  });

  it('is nobody’s when the gateway’s own MAC answers at it, as routers do that answer for everybody', async () => {
    await ip('-n', ROUTER, 'addr', 'add', '10.9.0.40/24', 'dev', 'eth0');
    expect(await ask('10.9.0.40')).toBe('router');
  });
});
