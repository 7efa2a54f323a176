import { expect, test } from 'vitest';
import { createVolume } from '../../../activities/dom0/storage/lvm/lvm.ts';
import { SHOWN_OF_DOM0 } from '../../../cli/up/summary.ts';
import { fakeDom0 } from '../activities/dom0/steps/support.ts';

test('the simulated dom0 knows each command whose answer the summary shows', async () => {
  const fake = await fakeDom0();
  const host = fake.host();
  await createVolume(host, { vg: 'vg01', name: 'guest1-root', bytes: 2 ** 31, tags: ['guestflow'] });
  const says = async ([tool, ...args]: readonly [string, ...string[]]): Promise<string> => (await host.run(tool, args)).stdout;
  expect(await says(SHOWN_OF_DOM0.xlList)).toMatch(/^Name +ID +Mem/);
  expect(await says(SHOWN_OF_DOM0.lvs)).toMatch(/^ {2}LV +VG +Attr +LSize +Pool +Origin\n {2}guest1-root vg01 -wi-a----- 2\.00g +\n$/);
  fake.close();
});
