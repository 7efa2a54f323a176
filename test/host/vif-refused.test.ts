/** What keeps a domain from starting whose vif has script=vif-guestflow: values that no rules can be made of, and an nft that is missing or refuses. */
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { titled } from './machine.ts';
import { ADDRESSES, MACS, NAMES, PATHS } from './vif/hostile.ts';
import { A, rigOfFile, vifOf, whyNoRig, type Rig } from './vif/rig.ts';

const { mac, ip } = A;

const why = whyNoRig();

describe.skipIf(why !== undefined)(titled('a domain whose vif has script=vif-guestflow', why), () => {
  const rig = rigOfFile('gf-vif-no');

  describe('does not start, and sets nothing', () => {
    let before: string;
    beforeAll(async () => {
      await rig.bothOnline();
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
        rig.program('nft', undefined);
      }
      expect(await rig.ports()).not.toContain(vifOf(A));
      mustBeTold(/Operation not supported/);
    });
  });
});
