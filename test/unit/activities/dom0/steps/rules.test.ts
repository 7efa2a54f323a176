/**
 * The table of rules, walked in both directions: what `--check` takes of each field is made on the fake dom0, at both ends of what it takes;
 * what it refuses has field, value and reason, and the dom0 refuses it too.
 */
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { changed } from '../../../../an-order.ts';
import { FIELDS } from '../../../../../contract/fields.ts';
import { fixCfg } from '../../../../../activities/dom0/steps/cfg-fix.ts';
import { ensureGolden } from '../../../../../activities/dom0/images/golden.ts';
import { createImage } from '../../../../../activities/dom0/steps/create-image.ts';
import { planGuest } from '../../../../../activities/dom0/steps/plan-guest.ts';
import { GuestflowError } from '../../../../../contract/errors.ts';
import { checkOrder, orderSchema, resolveOrder } from '../../../../../order/order.ts';
import { loadPlans, parsePlans, type Plans } from '../../../../../order/plans.ts';
import { GiB, parseSize } from '../../../../../contract/sizes.ts';
import { guestOrderWireSchema, guestSpecSchema } from '../../../../../contract/wire.ts';
import type { FakeDom0 } from '../../../../../fake/index.ts';
import { REFUSED, OF_PLANS, TAKEN } from '../../../../fixtures/order-edges.ts';
import { fakeDom0, stepEnv } from './support.ts';

const MAC = '00:16:3E:00:00:05';
const SIZES = ['memory', 'disk', 'swap'];
let plans: Plans;
beforeAll(async () => {
  plans = await loadPlans();
});
let dom0: FakeDom0;
const opened: FakeDom0[] = [];
afterEach(() => {
  for (const each of opened.splice(0)) each.close();
});

async function open(options: Parameters<typeof fakeDom0>[0] = {}): Promise<ReturnType<FakeDom0['host']>> {
  dom0 = await fakeDom0(options);
  opened.push(dom0);
  return dom0.host();
}

/** A dom0 as large as the largest guest. */
async function largeDom0(): Promise<ReturnType<FakeDom0['host']>> {
  const host = await open({ memoryMiB: 600 * 1024, cpus: 64, volumeGroupBytes: 18 * 1024 * GiB });
  await host.files.writeAtomic('/etc/xen-tools/role.d/r', '#!/bin/sh\n', 0o755);
  await host.files.writeAtomic(`/etc/xen-tools/role.d/${'r'.repeat(32)}`, '#!/bin/sh\n', 0o755);
  return host;
}

/** From the document to the image and the cfg that xl would start. */
async function make(document: Record<string, unknown>, from: Plans): Promise<void> {
  const order = resolveOrder({ name: 'guest1', dom0: 'dom0', ...document }, { plans: from });
  const env = { ...stepEnv(await largeDom0()) };
  const here = { ...order, dom0: 'dom0' };
  const lease = {
    ip: order.network.ip ?? '10.0.0.5',
    netmask: order.network.netmask ?? '255.255.255.0',
    gateway: order.network.gateway ?? '10.0.0.1',
    bridge: 'xenbr0',
    mac: order.network.mac ?? MAC,
  };
  const spec = guestSpecSchema.parse(await planGuest(env, { order: guestOrderWireSchema.parse(here), lease }));
  if (spec.os.installMethod === 'golden') await ensureGolden(env, spec.os);
  const image = await createImage(env, { spec });
  expect(image.reused).toBe(false);
  await fixCfg(env, { spec, disks: 'image', onCrash: 'destroy' });
}

describe('what the check takes', () => {
  it('has values for each key of an order', () => {
    expect(Object.keys(TAKEN).sort()).toEqual(Object.keys(orderSchema.shape).sort());
    expect(Object.keys(REFUSED).sort()).toEqual(Object.keys(orderSchema.shape).sort());
  });

  it.each(Object.entries(TAKEN).flatMap(([key, values]) => values.map((value) => [key, value] as const)))(
    'is made: %s %j',
    async (key, value) => {
      const document = typeof value === 'object' && value !== null && 'document' in value ? value.document : { [key]: value };
      await make(document as Record<string, unknown>, plans);
    },
  );

  it.each(OF_PLANS.taken)('is made: a plan with %s', async (room) => {
    await make({}, parsePlans(Buffer.from(`p: {memory: 256MiB, vcpus: 1, disk: 1GiB, swap: 16MiB, ${room}}`), 'plans'));
  });
});

describe('what the check refuses', () => {
  it.each(Object.entries(REFUSED).flatMap(([key, values]) => values.map((value) => [key, value] as const)))(
    'is named with value and reason, and refused by the dom0: %s %j',
    (key, value) => {
      let refusal: unknown;
      try {
        checkOrder({ name: 'guest1', ...(key === 'netmask' || key === 'gateway' ? { ip: '10.0.0.5' } : {}), [key]: value }, { plans });
      } catch (error) {
        refusal = error;
      }
      if (!(refusal instanceof GuestflowError)) throw new Error('it was taken');
      expect(refusal.type).toBe('InvalidInput');
      expect(refusal.details.field?.split(/[.[]/)[0]).toBe(key);
      // All but secrets are repeated, so that it is found; what stands under a key that nobody knows may be one.
      if (!['passwordHash', 'sshKeys'].includes(key) && !refusal.message.includes('is no key'))
        expect(refusal.details.value).toBeTypeOf('string');
      expect(refusal.message).toMatch(/ (is|are|must|has|have|cannot|would|belongs) /);
      // A control worker that was told so all the same is refused by the dom0. It knows no plans, no short words for other keys, and
      // of a password the sealed box: its hash is checked when that is opened.
      if (['plan', 'debootstrap', 'passwordHash'].includes(key)) return;
      const good = resolveOrder({ name: 'guest1', dom0: 'dom0' }, { plans });
      const onTheWire = SIZES.includes(key) ? { [`${key}Bytes`]: parseSize(String(value)) ?? 1.5 } : { [key]: value };
      const { group } = FIELDS[key as keyof typeof FIELDS];
      expect(guestOrderWireSchema.safeParse(good).success).toBe(true);
      const sent = changed(good, group === 'identity' ? onTheWire : { [group]: onTheWire });
      expect(guestOrderWireSchema.safeParse(sent).success).toBe(false);
    },
  );

  it.each(OF_PLANS.refused)('a plan with %s', (room, field) => {
    expect(() => parsePlans(Buffer.from(`p: {memory: 256MiB, vcpus: 1, disk: 1GiB, swap: 16MiB, ${room}}`), 'plans')).toThrow(
      new RegExp(`p\\.${field} "`),
    );
  });
});

describe('before any work', () => {
  const refusalOf = async (document: Record<string, unknown>, prepare: (at: ReturnType<FakeDom0['host']>) => Promise<unknown>) => {
    const order = resolveOrder({ name: 'guest1', dom0: 'dom0', ...document }, { plans });
    const at = await largeDom0();
    await prepare(at);
    // The directories that hold all guests' state are there for good once there was one.
    await at.files.makeDirectory('/var/lib/guestflow/guests/.guestflow', 0o700);
    const before = JSON.stringify(dom0.snapshot());
    const lease = { ip: '10.0.0.5', netmask: '255.255.255.0', gateway: '10.0.0.1', bridge: 'xenbr0', mac: MAC };
    const answer = await planGuest(stepEnv(at), { order, lease }).catch((error: unknown) => error);
    expect(dom0.snapshot()).toEqual(JSON.parse(before));
    return answer;
  };
  const noMirror = (): Promise<void> => {
    dom0.faults.noMirror = true;
    return Promise.resolve();
  };

  it.each(['bookworm', 'trixie', 'jammy', 'noble'])('%s whose mirror does not answer is refused by name', async (dist) => {
    expect(await refusalOf({ dist }, noMirror)).toMatchObject({
      type: 'HostNotReady',
      retryable: false,
      details: { field: 'dist', value: dist },
      message: expect.stringMatching(
        new RegExp(`^dist ${dist} cannot be fetched: the mirror http://\\S+ does not give it to this dom0: `),
      ) as string,
    });
  });

  it('nothing is asked for that is here: a golden tarball needs no mirror', async () => {
    const answer = await refusalOf({ dist: 'trixie' }, async (at) => {
      await ensureGolden(stepEnv(at), { dist: 'trixie' });
      await noMirror();
    });
    expect(answer).toMatchObject({ os: { dist: 'trixie' } });
  });

  it('a debootstrap asks its mirror though a golden tarball is here', async () => {
    const answer = await refusalOf({ dist: 'trixie', debootstrap: true }, async (at) => {
      await ensureGolden(stepEnv(at), { dist: 'trixie' });
      await noMirror();
    });
    expect(answer).toMatchObject({ type: 'HostNotReady' });
  });

  it('an Ubuntu whose keys the dom0 lacks is refused, with the package that has them', async () => {
    expect(await refusalOf({ dist: 'noble' }, (at) => at.files.remove('/usr/share/keyrings/ubuntu-archive-keyring.gpg'))).toMatchObject({
      type: 'HostNotReady',
      details: { field: 'dist', value: 'noble', mend: expect.stringContaining('ubuntu-keyring') as string },
    });
  });

  it.each([
    ['127.0.1.1', /it is the dom0 itself/],
    ['169.254.169.254', /credentials|link-local/],
    ['::1', /it is the dom0 itself/],
    ['fe80::1', /link-local/],
  ])('a mirror whose name leads to %s is refused', async (address, reason) => {
    const answer = await refusalOf({ mirror: 'http://mirror.example/debian' }, (at) =>
      at.files.writeAtomic('/etc/hosts', `${address} mirror.example\n`),
    );
    expect(answer).toMatchObject({ type: 'InvalidInput', details: { field: 'mirror' }, message: expect.stringMatching(reason) as string });
  });

  it('a role that the dom0 has not, and more vcpus than it has, are refused', async () => {
    expect(await refusalOf({ role: 'udev' }, () => Promise.resolve())).toMatchObject({ type: 'HostNotReady', details: { field: 'role' } });
    const order = resolveOrder({ name: 'guest1', dom0: 'dom0', vcpus: 5 }, { plans });
    const lease = { ip: '10.0.0.5', netmask: '255.255.255.0', gateway: '10.0.0.1', bridge: 'xenbr0', mac: MAC };
    await expect(planGuest(stepEnv(await open({ cpus: 4 })), { order, lease })).rejects.toMatchObject({
      type: 'NoCapacity',
      message: expect.stringContaining('vcpus 5 is more than the 4 cpus of the dom0, 1 too many') as string,
    });
  });
});
