/** What is told of a guest's use, on the fake dom0. */
import { afterEach, expect, it } from 'vitest';
import { bootGuest, stopGuest } from '../../../../../activities/dom0/steps/boot.ts';
import { lookAtUsage } from '../../../../../activities/dom0/steps/usage.ts';
import { countDomain } from '../../../../../activities/dom0/traffic/count.ts';
import type { StepEnv } from '../../../../../activities/dom0/env.ts';
import type { GuestRef } from '../../../../../contract/guest.ts';
import type { FakeDom0 } from '../../../../../fake/index.ts';
import { closeKnowing, dom0With, spec } from './support.ts';

const MiB = 2 ** 20;

let dom0: FakeDom0;
afterEach(() => {
  closeKnowing(dom0);
});

async function counted(): Promise<{ env: StepEnv; ref: GuestRef }> {
  const guest = spec();
  const made = await dom0With(guest);
  dom0 = made.dom0;
  await bootGuest(made.env, guest);
  const ref = { name: guest.name, order: guest.order, dom0: guest.dom0 };
  await countDomain(made.env, ref, (await made.env.toolstack.find(guest.name))!);
  return { env: made.env, ref };
}

it('is up to this moment, more than was written, and changes nothing on the dom0', async () => {
  const { env, ref } = await counted();
  dom0.state.domains[0]!.traffic = [{ inBytes: 10, outBytes: 20 }];
  const before = dom0.snapshot();
  const usage = await lookAtUsage(env, ref);
  expect(usage).toMatchObject({ memoryBytes: 512 * MiB, vcpus: 1, diskBytes: (2_048 + 256) * MiB });
  expect(usage.months).toEqual([{ month: new Date().toISOString().slice(0, 7), inBytes: 10, outBytes: 20 }]);
  expect(dom0.snapshot()).toEqual(before);
});

it('of a guest that is off says what was counted, and that it has no memory', async () => {
  const { env, ref } = await counted();
  dom0.state.domains[0]!.traffic = [{ inBytes: 10, outBytes: 20 }];
  await stopGuest(env, ref);
  expect(await lookAtUsage(env, ref)).toMatchObject({ memoryBytes: 0, vcpus: 0, months: [{ inBytes: 10, outBytes: 20 }] });
});

it('of another order with its name says nothing of this one', async () => {
  const { env, ref } = await counted();
  expect(await lookAtUsage(env, { ...ref, order: 'another' })).toEqual({ months: [], diskBytes: 0, memoryBytes: 0, vcpus: 0 });
});
