import { readFileSync, statSync } from 'node:fs';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { changed, type Changes } from '../../../../an-order.ts';
import { ensurePasswordKey, openPassword, passwordPublicKey } from '../../../../../activities/dom0/password-key.ts';
import { ensureGolden } from '../../../../../activities/dom0/images/golden.ts';
import { createEnv } from '../../../../../activities/dom0/drivers.ts';
import type { StepEnv } from '../../../../../activities/dom0/env.ts';
import { createImage } from '../../../../../activities/dom0/steps/create-image.ts';
import { dom0Facts } from '../../../../../activities/dom0/steps/look.ts';
import { sealBox } from '../../../../../system/sealed-box.ts';
import type { GuestSpec } from '../../../../../contract/guest.ts';
import { guestSpecSchema } from '../../../../../contract/wire.ts';
import { createFakeDom0, type FakeDom0 } from '../../../../../fake/index.ts';
import { NETWORK, orderOf, settingsOf } from '../../../../faults/world.ts';

const HASH = `$6$salt$${'abcdefghij'.repeat(8)}klmnop`;

let dom0: FakeDom0;
let env: StepEnv;
beforeEach(async () => {
  dom0 = await createFakeDom0({ network: NETWORK });
  const log = pino({ level: 'silent' });
  env = createEnv({
    host: dom0.host(),
    settings: settingsOf('xen1'),
    signal: new AbortController().signal,
    attempt: 1,
    progress: () => undefined,
    log,
  });
});
afterEach(() => dom0.close());

function specWith(changes: Changes<GuestSpec>): GuestSpec {
  const network = { ip: '10.20.0.9', netmask: '255.255.0.0', gateway: '10.20.0.1', bridge: 'xenbr0', mac: '00:16:3E:00:00:09' };
  return guestSpecSchema.parse(changed({ ...orderOf('sealed1', 'xen1'), network }, changes));
}

describe('the password of an order', () => {
  it('is opened on the dom0 it was sealed for, and reaches the image', async () => {
    await ensurePasswordKey(env);
    const { passwordKey = '' } = await dom0Facts(env, 'test');
    const spec = specWith({ access: { sealedPassword: { xen1: await sealBox(HASH, passwordKey, 'order-sealed1') } } });
    let given = '';
    dom0.faults.add({
      match: ({ kind, name }) => {
        if (kind === 'process' && name === 'xen-create-image')
          given = readFileSync(dom0.machine.at('/var/lib/guestflow/guests/sealed1/role/password-hash'), 'utf8');
        return false;
      },
      kind: 'fail',
    });
    await ensureGolden(env, { dist: spec.os.dist });
    await createImage(env, { spec });
    expect(given).toBe(`${HASH}\n`);
    expect(JSON.stringify(dom0.calls)).not.toContain(HASH);
  });

  it('has one key for all times: a worker that starts again keeps it, and nobody else can read it', async () => {
    expect(await passwordPublicKey(env)).toBeUndefined();
    expect(await dom0Facts(env, 'test')).not.toHaveProperty('passwordKey');
    await ensurePasswordKey(env);
    const first = await passwordPublicKey(env);
    await ensurePasswordKey(env);
    expect(await passwordPublicKey(env)).toBe(first);
    expect(statSync(dom0.machine.at('/var/lib/guestflow/password_key')).mode & 0o777).toBe(0o600);
  });

  it.each([
    ['another dom0', async (key: string) => ({ xen2: await sealBox(HASH, key, 'order-sealed1') }), /other dom0s/],
    ['another order', async (key: string) => ({ xen1: await sealBox(HASH, key, 'order-of-another') }), /does not have/],
    ['nobody', async () => Promise.resolve({ xen1: 'A'.repeat(200) }), /does not have/],
  ])('that was sealed for %s is refused, and the error shows nothing of it', async (_whom, seal, reason) => {
    await ensurePasswordKey(env);
    const spec = specWith({ access: { sealedPassword: await seal((await passwordPublicKey(env)) ?? '') } });
    await expect(openPassword(env, spec)).rejects.toMatchObject({ type: 'HostNotReady', message: expect.stringMatching(reason) as string });
  });

  it('is none where none was ordered', async () => {
    expect(await openPassword(env, specWith({}))).toBeUndefined();
  });
});
