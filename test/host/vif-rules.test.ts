/** How the rules of a vif come and go with its domain, by the real script, vif-bridge and nft. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { titled } from './machine.ts';
import { udp4 } from './vif/frames.ts';
import { A, B, BRIDGE, GATEWAY, rigOfFile, vifOf, whyNoRig } from './vif/rig.ts';

const { mac, ip } = A;

const why = whyNoRig();

describe.skipIf(why !== undefined)(titled('rules of a vif with script=vif-guestflow', why), () => {
  const rig = rigOfFile('gf-vif-life');
  const sees = (...frames: Buffer[]): Promise<Buffer[]> => rig.arrived(A, B, frames);

  describe('as domains come and go', () => {
    beforeEach(() => rig.bothOnline());
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
      rig.say(A, { ip: '192.0.2.12 192.0.2.13 ', mac: mac.toUpperCase() });
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

    it('says so when nft does not take them away', async () => {
      rig.program('nft', 'echo "Error: Operation not permitted" >&2; exit 1');
      try {
        expect(await rig.call(A, 'offline')).toMatchObject({
          code: 1,
          stderr: expect.stringContaining('Operation not permitted') as string,
        });
      } finally {
        rig.program('nft', undefined);
      }
    });

    it('is there for each of two domains that come at the same time, and gone for each of two that go', async () => {
      for (const action of ['offline', 'online'] as const)
        expect(await Promise.all([A, B].map((guest) => rig.call(guest, action)))).toMatchObject([{ code: 0 }, { code: 0 }]);
      expect(await rig.ruleset()).toMatch(/chain from-vif5\.0.*chain from-vif6\.0|chain from-vif6\.0.*chain from-vif5\.0/s);
      await Promise.all([A, B].map((guest) => rig.call(guest, 'offline')));
      expect(await rig.ruleset()).not.toMatch(/vif[56]\.0/);
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

    it('is set for qemu’s interface of an HVM guest, too', async () => {
      const emulated = `${vifOf(A)}-emu`;
      await rig.inDom0('ip', 'link', 'add', emulated, 'type', 'veth', 'peer', 'name', 'qemu');
      try {
        expect(await rig.call(A, 'add')).toMatchObject({ code: 0, stderr: '' });
        expect(await rig.ports()).toContain(emulated);
        expect(await rig.ruleset()).toMatch(new RegExp(`"${emulated}" : jump from-${emulated}\\b`));
        expect(await rig.call(A, 'remove')).toMatchObject({ code: 0, stderr: '' });
        expect(await rig.ruleset()).not.toContain(emulated);
      } finally {
        await rig.inDom0('ip', 'link', 'del', emulated);
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
});
