/** A guest of each distribution whose golden tarball the lab's dom0 has, made by the recipe `direct`, logged in to, and removed. The story's is of bookworm, by the how-to: that one in full only. */
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { DEFAULT_RELEASE, RELEASES } from '../../lab/index.ts';
import { complaintsAbout, inGuest, leftOf, onDom0, orderAndWait } from './guests.ts';
import { inventoryOf, type Inventory } from './inventory.ts';
import { IS_FULL, LAB_DISTS, openRig, type Rig } from './rig.ts';

/** What the guest says of itself: a line each. */
const LOOK = `. /etc/os-release; echo "$VERSION_CODENAME"
uname -r
hostname
swapon --noheadings --show=NAME
systemctl is-active ssh systemd-timesyncd
systemctl --failed --no-legend --plain
`;

let rig: Rig;
let before: Inventory;

beforeAll(async () => {
  rig = await openRig(inject('lab'));
  before = await inventoryOf(rig.lab);
});
afterAll(async () => {
  await rig.close();
});

for (const dist of RELEASES) {
  test.runIf((IS_FULL || dist !== DEFAULT_RELEASE) && LAB_DISTS.includes(dist))(
    `a guest of ${dist} is made of its golden tarball, boots its dom0's kernel, lets its customer in, and is gone after its removal`,
    async () => {
      const name = `of-${dist}`;
      const order = await rig.order({ name, order: `distributions-${dist}`, dist, disk: '1GiB', recipe: 'direct' });
      const status = await orderAndWait(rig, order);
      expect(await rig.flow.failureOf(status)).toBeUndefined();
      const kernel = (await onDom0(rig, 'uname -r')).trim();
      const seen = await inGuest(rig, order, status.spec?.network.ip ?? '', LOOK);
      expect(seen.trim().split('\n')).toEqual([dist, kernel, name, '/dev/xvda1', 'active', 'active']);
      expect(await complaintsAbout(rig, order, before)).toEqual([]);
      expect((await rig.flow.operate(name, 'terminate', { now: true })).phase).toBe('gone');
      expect(await leftOf(rig, order, before)).toEqual([]);
    },
  );
}
