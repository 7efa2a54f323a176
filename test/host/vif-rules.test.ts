/** How the rules of a vif come and go with its domain, by the real script, vif-bridge and nft, and what keeps a domain from starting. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { whyNoXen, xenCommonRoot } from '../fixtures/xen/debian.ts';
import { titled, whyNotHere } from './machine.ts';
import { udp4 } from './vif/frames.ts';
import { ADDRESSES, MACS, NAMES, PATHS } from './vif/hostile.ts';
import { BRIDGE, Rig, vifOf, type Guest } from './vif/rig.ts';

const A: Guest = { domid: 5, mac: '00:16:3e:00:00:0a', ip: '192.0.2.10' };
const B: Guest = { domid: 6, mac: '00:16:3e:00:00:0b', ip: '192.0.2.11' };
const GATEWAY = '192.0.2.1';
const { mac, ip } = A;

const why = whyNotHere('ip', 'sysctl', 'nft', 'python3') ?? whyNoXen(xenCommonRoot);

describe.skipIf(why !== undefined)(titled('rules of a vif with script=vif-guestflow', why), () => {
  let rig: Rig;
  beforeAll(async () => {
    rig = new Rig('gf-vif-life');
    await rig.make([A, B]);
  });
  afterAll(async () => {
    await rig.remove([A, B]);
    rig.clear();
  });

  async function bothOnline(): Promise<void> {
    for (const guest of [A, B]) {
      rig.say(guest, { mac: guest.mac, ip: guest.ip, vifname: undefined, 'hotplug-error': undefined, 'hotplug-status': undefined });
      expect(await rig.call(guest, 'online')).toMatchObject({ code: 0, stderr: '' });
    }
  }
  const sees = (...frames: Buffer[]): Promise<Buffer[]> => rig.arrived(A, B, frames);

  describe('as domains come and go', () => {
    beforeEach(bothOnline);
    afterEach(async () => {
      await rig.call(A, 'offline');
    });

    it('counts what passed to and from each guest since its start, and what was refused', async () => {
      for (const guest of [A, B]) {
        await rig.call(guest, 'offline');
        await rig.call(guest, 'online');
      }
      await sees(udp4({ mac, from: ip, to: B.ip }), udp4({ mac, from: B.ip, to: GATEWAY }), udp4({ mac, from: GATEWAY, to: B.ip }));
      const { stdout } = await rig.inDom0('nft', 'list', 'counters', 'table', 'bridge', 'guestflow');
      const packets: Record<string, number> = {};
      for (const [, name = '', count] of stdout.matchAll(/counter (\S+) \{\s+packets (\d+)/g)) packets[name] = Number(count);
      // One more passed: the last frame of each exchange.
      expect(packets).toMatchObject({ 'from-vif5.0': 2, 'refused-vif5.0': 2, 'to-vif6.0': 2, 'from-vif6.0': 0, 'to-vif5.0': 0 });
    });

    it('leaves nothing of a guest that is gone, and all of its neighbour and of the operator’s tables', async () => {
      await rig.call(A, 'offline');
      const withoutA = await rig.ruleset();
      expect(withoutA).not.toContain('vif5.0');
      expect(withoutA).toContain('vif6.0');
      await rig.inDom0(
        'nft',
        'add table bridge filter; add chain bridge filter mine { type filter hook forward priority 0; }; add rule bridge filter mine iifname "vif9.0" drop',
      );
      const before = await rig.ruleset();
      try {
        expect(await rig.call(A, 'online')).toMatchObject({ code: 0 });
        expect(await rig.ruleset()).toContain('vif5.0');
        expect(await rig.call(A, 'offline')).toMatchObject({ code: 0 });
        expect(await rig.ruleset()).toBe(before);
      } finally {
        await rig.inDom0('nft', 'delete table bridge filter');
      }
    });

    it('lets everything pass on the interface of a guest that is gone: no rule stays for whoever gets its name', async () => {
      await rig.call(A, 'offline');
      await rig.inDom0('ip', 'link', 'set', vifOf(A), 'master', BRIDGE, 'up');
      const frame = udp4({ mac, from: B.ip, to: GATEWAY });
      expect(await sees(frame)).toEqual([frame]);
    });

    it('is the same when it is set twice, and gone when it is taken away twice', async () => {
      const once = await rig.ruleset();
      expect(await rig.call(A, 'online')).toMatchObject({ code: 0, stderr: '' });
      expect(await rig.ruleset()).toBe(once);
      for (let times = 0; times < 2; times += 1) expect(await rig.call(A, 'offline')).toMatchObject({ code: 0, stderr: '' });
      expect(await rig.ruleset()).not.toContain('vif5.0');
    });

    it('goes by what xenstore says now: a domain with another address has only that one', async () => {
      rig.say(A, { ip: '192.0.2.12 192.0.2.13 ' });
      expect(await rig.call(A, 'online')).toMatchObject({ code: 0 });
      const frames = [ip, '192.0.2.12', '192.0.2.13'].map((from) => udp4({ mac, from, to: B.ip }));
      // The rig's last frame must come from an address that passes.
      expect(await rig.arrived({ ...A, ip: '192.0.2.12' }, B, frames)).toEqual(frames.slice(1));
    });

    it('takes away nothing, and makes no table, for a vif that never was online', async () => {
      for (const guest of [A, B]) await rig.call(guest, 'offline');
      await rig.inDom0('nft', 'delete table bridge guestflow');
      expect(await rig.call(A, 'offline')).toMatchObject({ code: 0, stderr: '' });
      expect(await rig.ruleset()).toBe('');
    });

    it('takes rules away even when vif-bridge cannot do its part, and says that it could not', async () => {
      rig.say(A, { bridge: 'nobridge' });
      expect((await rig.call(A, 'offline')).code).not.toBe(0);
      rig.say(A, { bridge: BRIDGE });
      expect(await rig.ruleset()).not.toContain('vif5.0');
    });

    it('follows the name that the cfg gives the interface', async () => {
      await rig.call(A, 'offline');
      rig.say(A, { vifname: 'web' });
      try {
        expect(await rig.call(A, 'online')).toMatchObject({ code: 0, stderr: '' });
        expect(await rig.ports()).toContain('web');
        const good = udp4({ mac, from: ip, to: B.ip });
        expect(await sees(good, udp4({ mac, from: B.ip, to: GATEWAY }))).toEqual([good]);
        expect(await rig.call(A, 'offline')).toMatchObject({ code: 0, stderr: '' });
        expect(await rig.ruleset()).not.toContain('web');
      } finally {
        await rig.inDom0('ip', 'link', 'set', 'web', 'name', vifOf(A));
      }
    });

    it('gets the rules back with refresh after somebody has flushed all rules, of vifs with this script only', async () => {
      const chains = ['prerouting', 'postrouting', 'from-vif5.0', 'from-vif6.0'];
      const rules = async (): Promise<string[]> =>
        Promise.all(
          chains.map(async (chain) => (await rig.inDom0('nft', '--stateless', 'list', 'chain', 'bridge', 'guestflow', chain)).stdout),
        );
      const before = await rules();
      await rig.inDom0('nft', 'flush', 'ruleset');
      expect(await rig.call(A, 'refresh')).toMatchObject({ code: 0, stderr: '' });
      expect(await rules()).toEqual(before);
      rig.say(B, { script: '/etc/xen/scripts/vif-bridge' });
      await rig.inDom0('nft', 'flush', 'ruleset');
      await rig.call(A, 'refresh');
      rig.say(B, { script: '/etc/xen/scripts/vif-guestflow' });
      expect(await rig.ruleset()).toContain('vif5.0');
      expect(await rig.ruleset()).not.toContain('vif6.0');
    });

    it('with refresh goes on after a vif whose values are wrong, and does not call a vif that runs broken', async () => {
      rig.say(A, { ip: 'nonsense' });
      await rig.inDom0('nft', 'flush', 'ruleset');
      expect((await rig.call(A, 'refresh')).code).toBe(1);
      expect(await rig.ruleset()).toContain('vif6.0');
      expect(rig.said(A, 'hotplug-status')).toBe('connected');
    });
  });

  describe('does not start, and sets nothing', () => {
    let before: string;
    beforeAll(async () => {
      await bothOnline();
      await rig.call(A, 'offline');
    });
    beforeEach(async () => {
      rig.say(A, { mac, ip, vifname: undefined, 'hotplug-error': undefined, 'hotplug-status': undefined });
      before = await rig.ruleset();
    });

    async function mustBeRefused(reason: RegExp, how: Parameters<Rig['call']>[2] = {}): Promise<void> {
      const { code, stderr } = await rig.call(A, 'online', how);
      expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringMatching(reason) as string });
      expect(await rig.ports()).not.toContain(vifOf(A));
      expect(await rig.ruleset()).toBe(before);
    }
    function mustBeTold(reason: RegExp): void {
      expect(rig.said(A, 'hotplug-error')).toMatch(reason);
      // libxl prints it: one line.
      expect(rig.said(A, 'hotplug-error')).not.toMatch(/[^ -~]/);
      expect(rig.said(A, 'hotplug-status')).toBe('error');
    }

    it.each(ADDRESSES)('when its address is %j', async (value) => {
      rig.say(A, { ip: value });
      await mustBeRefused(/^vif-guestflow: ip=/);
      mustBeTold(/^vif-guestflow: ip=/);
    });

    it.each(MACS)('when its MAC is %j', async (value) => {
      rig.say(A, { mac: value });
      await mustBeRefused(/^vif-guestflow: mac=/);
      mustBeTold(/^vif-guestflow: mac=/);
    });

    it.each(NAMES)('when the name of its interface is %j', async (value) => {
      rig.say(A, { vifname: value });
      await mustBeRefused(/^vif-guestflow: vifname=/);
      mustBeTold(/^vif-guestflow: vifname=/);
    });

    it.each(PATHS)('when libxl’s path is %j, which is not of this vif', async (path) => {
      await mustBeRefused(/^vif-guestflow: (XENBUS_PATH|vif)=/, { env: { XENBUS_PATH: path } });
    });

    it('when nft is missing, and says how to get it', async () => {
      await mustBeRefused(/^vif-guestflow: nft is missing.*apt-get install nftables/, { without: '/usr/sbin/nft' });
      mustBeTold(/apt-get install nftables/);
    });

    it('when nft refuses the rules, and says what it said', async () => {
      rig.program('nft', 'echo "Error: Operation not supported" >&2; exit 1');
      try {
        expect(await rig.call(A, 'online')).toMatchObject({
          code: 1,
          stderr: expect.stringContaining('Operation not supported') as string,
        });
      } finally {
        rig.program('nft', 'exec /usr/sbin/nft "$@"');
      }
      expect(await rig.ports()).not.toContain(vifOf(A));
      mustBeTold(/Operation not supported/);
    });
  });
});
