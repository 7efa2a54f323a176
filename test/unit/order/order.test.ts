import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { GuestflowError } from '../../../contract/errors.ts';
import { checkOrder, defaultOrderId, orderSchema, resolveOrder } from '../../../order/order.ts';
import { loadPlans, parsePlans, type Plans } from '../../../order/plans.ts';
import { ORDER_ID_PATTERN } from '../../../contract/guest-name.ts';
import { guestOrderWireSchema } from '../../../contract/wire.ts';

let plans: Plans;
beforeAll(async () => {
  plans = await loadPlans();
});

const HASH = `$6$saltsalt$${'a'.repeat(86)}`;
const HOWTO = { name: 'guest1', ip: '10.32.0.136', netmask: '255.255.252.0', gateway: '10.32.0.1' };

function refusal(raw: unknown): GuestflowError {
  try {
    checkOrder(raw, { plans });
  } catch (error) {
    if (error instanceof GuestflowError) return error;
    throw error;
  }
  throw new Error('it was taken');
}

describe('an order', () => {
  it('with a name alone gets everything else from the first plan', () => {
    expect(resolveOrder({ name: 'guest1' }, { plans, defaults: { dom0: 'xen1' } })).toEqual({
      order: 'manual-guest1',
      name: 'guest1',
      plan: 'small',
      dom0: 'xen1',
      os: { type: 'pv', dist: 'bookworm', installMethod: 'golden', recipe: 'how-to', serialDevice: 'hvc0', timezone: 'Etc/UTC', extra: [] },
      size: { memoryBytes: 256 * 2 ** 20, vcpus: 1, diskBytes: 2 * 2 ** 30, swapBytes: 128 * 2 ** 20 },
      storage: { fs: 'ext4', fsOptions: 'noatime,nodiratime,errors=remount-ro', image: 'sparse' },
      backup: { retention: { daily: 7 }, proveDays: 30 },
      access: { managed: false, sshKeys: [] },
      life: { graceDays: 7 },
      network: {},
    });
  });

  it('says more than its plan', () => {
    const order = checkOrder(
      {
        ...HOWTO,
        plan: 'medium',
        memory: '1GiB',
        disk: '20000Mb',
        extra: 'clocksource=jiffies quiet',
        mac: '00-16-3e-a3-69-9c',
        debootstrap: true,
        passwordHash: HASH,
        timezone: 'Europe/Berlin',
      },
      { plans },
    );
    expect(order).toMatchObject({
      plan: 'medium',
      size: { memoryBytes: 2 ** 30, diskBytes: 20_000 * 2 ** 20, swapBytes: 512 * 2 ** 20, vcpus: 2 },
      os: { extra: ['clocksource=jiffies', 'quiet'], installMethod: 'debootstrap', timezone: 'Europe/Berlin' },
      network: { mac: '00:16:3E:A3:69:9C', ip: '10.32.0.136' },
      access: { passwordHash: HASH },
    });
  });

  it('once resolved, passes the check that the dom0 makes again, which takes no password that is not sealed', () => {
    const order = resolveOrder(
      { ...HOWTO, passwordHash: HASH, mirror: 'http://mirror.example.org/debian', role: 'udev', backupAt: '02:30', bridge: 'xenbr0' },
      { plans, defaults: { dom0: 'xen1' } },
    );
    const { passwordHash: _open, ...access } = order.access;
    expect(guestOrderWireSchema.parse(order)).toEqual({ ...order, access });
  });

  it("with a key that is undefined keeps the plan's value", () => {
    expect(checkOrder({ name: 'a', dist: undefined, vcpus: undefined }, { plans })).toMatchObject({
      os: { dist: 'bookworm' },
      size: { vcpus: 1 },
    });
  });

  it('without a dom0 is taken by a check, and refused when it is placed', () => {
    expect(checkOrder({ name: 'a' }, { plans })).not.toHaveProperty('dom0');
    expect(() => resolveOrder({ name: 'a' }, { plans })).toThrow(/dom0 is missing/);
  });

  it.each([
    ['name', '../x', /host name/],
    ['name', 'snapshot-db', /LVM/],
    ['name', 17, /digits alone/],
    ['name', null, /is empty/],
    ['plan', null, /^the order: plan is empty: give a value$/],
    ['ip', 10.5, /no IPv4 address/],
    ['netmask', 24, /no netmask/],
    ['vcpus', 1e20, /^the order: vcpus "100000000000000000000" must be a whole number from 1 to 64$/],
    ['plan', 'smal', /did you mean small/],
    ['plan', 'huge-plan', /known are small, medium, large/],
    ['order', 'a b', /id of an order/],
    ['order', 17, /write it in quotes/],
    ['dom0', 'Xen1', /dom0/],
    ['type', 'hvm', /pv, pvh/],
    ['ip', '10.0.0.300', /IPv4/],
    ['ip', '127.0.0.1', /loopback/],
    ['ip', '10.0.0.010', /IPv4/],
    ['bridge', 'a/b', /bridge/],
    ['bridge', 'x'.repeat(16), /bridge/],
    ['mac', '01:16:3E:00:00:01', /multicast/],
    ['mac', '00:17:3E:00:00:01', /manufacturer/],
    ['mac', '00:16:3E:00:00', /MAC/],
    ['memory', 512, /"512MiB" or "512GiB"/],
    ['memory', "512Mb'; x", /no size/],
    ['memory', '1Mb', /less than/],
    ['disk', '512Mb', /less than/],
    ['vcpus', 0, /1 to 64/],
    ['vcpus', 1.5, /1 to 64/],
    ['vcpus', '2', /1 to 64/],
    ['dist', 'lenny', /bookworm/],
    ['mirror', 'ftp://x/', /mirror/],
    ['mirror', 'http://user:secret@x/', /password/],
    ['mirror', 'http://x/ [trusted=yes]', /mirror/],
    ['role', '../../bin/sh', /role/],
    ['extra', "a'b", /kernel/],
    ['extra', ['a b'], /kernel/],
    ['extra', ['root=/dev/sda'], /set by guestflow/],
    ['extra', 'x '.repeat(33), /more than 32/],
    ['sshKeys', 'ssh-ed25519 AAAA', /list/],
    ['timezone', 'europe/berlin', /time zone/],
    ['timezone', '+02:00', /time zone/],
    ['timezone', '../etc/passwd', /time zone/],
    ['timezone', 'EUROPE/BERLIN', /"Europe\/Berlin"/],
    ['retention', 3, /daily: N/],
    ['managed', 'yes', /true or false/],
    ['serialDevice', 'hvc0 x', /serial device.*hvc0/],
    ['serialDevice', 'ttyS0', /serial device.*hvc0/],
    ['serialDevice', 'tty1', /serial device.*hvc0/],
    ['serialDevice', 'xvc0', /serial device.*hvc0/],
    ['serialDevice', 'hvc1', /serial device.*hvc0/],
    ['timezone', 'Us/Eastern', /time zone/],
    ['timezone', 'Etc/Utc', /time zone/],
    ['timezone', 'Gb', /time zone/],
    ['timezone', 'Europe/Isle_of_man', /time zone/],
    ['timezone', 'Factory', /time zone/],
    ['timezone', 'Europe', /time zone/],
    ['timezone', 'Mars/Phobos', /time zone/],
    ['fsOptions', 'ro', /option/],
    ['fsOptions', 'data=journal', /option/],
    ['fsOptions', 'nodelalloc', /option/],
    ['fsOptions', 'noexec', /option/],
    ['fsOptions', 'quota', /option/],
    ['fsOptions', 'noatime,errors=ignore', /option/],
    ['fsOptions', 'commit=x', /option/],
    ['extra', 'init=/bin/sh', /coming up/],
    ['extra', 'single', /coming up/],
    ['extra', 'mem=64M', /coming up/],
    ['extra', 'systemd.unit=rescue.target', /coming up/],
    ['memory', '255MiB', /less than 256 MiB/],
    ['memory', '513GiB', /more than 512 GiB/],
    ['disk', '16TiB', /more than 16 TiB less 4 MiB/],
    ['dist', 'focal', /bookworm, trixie, jammy, noble/],
    ['dist', 'bullseye', /bookworm, trixie, jammy, noble/],
    ['mac', 'FE:FF:FF:FF:FF:FF', /every guest's interface/],
    ['mac', 'ff:ff:ff:ff:ff:ff', /multicast/],
    ['mac', '00:00:00:00:00:00', /zero/],
    ['mac', '00:16-3E:00:00-01', /hyphens/],
    ['mac', '0016.3e00.0001', /MAC/],
    ['fs', 'xfs', /ext4, ext3/],
    ['fsOptions', 'noatime, rw', /mount options/],
    ['image', 'thin', /sparse, full/],
    ['backupAt', '24:00', /02:30/],
    ['graceDays', -1, /0 to 365/],
    ['hostname', 'x', /it is called name/],
    ['vcpu', 2, /did you mean vcpus/],
    ['constructor', 1, /no key/],
  ])('with %s %j is refused by that field', (field, value, reason) => {
    const error = refusal({ name: 'guest1', [field]: value });
    expect(error.type).toBe('InvalidInput');
    expect(error.message).toMatch(reason);
    expect(error.details.field?.replace(/\[\d+\]$|\.daily$/, '')).toBe(field);
  });

  it.each([
    [{ ip: '10.32.0.0' }, 'ip', /network/],
    [{ ip: '10.32.3.255' }, 'ip', /broadcast/],
    [{ ip: '10.32.0.1' }, 'ip', /gateway's/],
    [{ gateway: '10.33.0.1' }, 'gateway', /not in the network/],
    [{ netmask: '255.0.255.0' }, 'netmask', /in front/],
    [{ netmask: '255.255.255.255' }, 'netmask', /\/31/],
    [{ ip: undefined }, 'netmask', /without ip/],
  ])('whose addresses do not fit (%j) is refused', (change, field, reason) => {
    const error = refusal({ ...HOWTO, ...change });
    expect(error.message).toMatch(reason);
    expect(error.details.field).toBe(field);
  });

  it.each([17, null, [], 'text', undefined])('that is no document (%j) is refused', (raw) => {
    expect(refusal(raw).message).toMatch(/document of keys and values/);
  });

  it('tells every problem at once', () => {
    const { message } = refusal({ name: '../x', ip: '1.2.3', memory: 'x', plan: 'none' });
    expect(message).toMatch(/4 problems/);
    for (const field of ['name', 'ip', 'memory', 'plan']) expect(message).toContain(`- ${field} `);
  });

  it('shows what is wrong with a letter that looks like another, and moves no cursor', () => {
    expect(refusal({ name: 'gu\u0435st1' }).message).toContain('name "gu\\u0435st1" cannot');
    expect(refusal({ name: 'g\u00a01\u202e\u009b2J\uff11' }).message).toContain('name "g\\u00a01\\u202e\\u009b2J\\uff11" cannot');
    expect(refusal({ name: 'müller…' }).message).toContain('name "müller…" cannot');
    expect(refusal({ name: 'a', '\u001b[2J': 1 }).message).toContain('"\\u001b[2J" is no key');
    expect(refusal({ name: 'a', '': 1 }).message).toContain('"" is no key');
  });

  it.each([
    ['a key', { name: 'a', ['k'.repeat(100_000)]: 1 }],
    ['many keys deep', { name: 'a', retention: { ['k'.repeat(100_000)]: 1 } }],
  ])('with %s that is very long is refused in few words', (_what, raw) => {
    expect(refusal(raw).message.length).toBeLessThan(1_000);
  });

  it('with one text where a list is asked for has that one problem', () => {
    expect(refusal({ name: 'a', sshKeys: 'ssh-ed25519 '.repeat(9) }).message).toBe('the order: sshKeys must be a list of SSH keys');
  });

  it('never repeats what may be a secret', () => {
    const error = refusal({ name: 'a', passwordHash: 'hunter2', password: 'hunter2', sshKeys: ['hunter2'] });
    expect(JSON.stringify([error.message, error.details])).not.toContain('hunter2');
  });

  it('of whatever shape is taken or refused, and never breaks the check', () => {
    const keys = Object.keys(orderSchema.shape);
    fc.assert(
      fc.property(fc.dictionary(fc.oneof(fc.constantFrom(...keys), fc.string()), fc.anything()), (raw) => {
        try {
          checkOrder(raw, { plans });
        } catch (error) {
          expect(error).toBeInstanceOf(GuestflowError);
        }
      }),
    );
  });
});

describe('the default id of an order', () => {
  it('is one that orders may have, and another one for another name', () => {
    expect(defaultOrderId('guest1')).toBe('manual-guest1');
    const [one, other] = [`${'x'.repeat(62)}a`, `${'x'.repeat(62)}b`].map(defaultOrderId);
    expect(one).toMatch(ORDER_ID_PATTERN);
    expect(one).not.toBe(other);
  });
});

describe('plans', () => {
  const parse = (text: string): Plans => parsePlans(Buffer.from(text), 'plans.yaml');

  it('shipped are small, medium and large, in this order, and each can be ordered', () => {
    expect([...plans.keys()]).toEqual(['small', 'medium', 'large']);
    for (const plan of plans.keys()) expect(checkOrder({ name: 'a', plan }, { plans }).plan).toBe(plan);
  });

  it('may set every key that an order takes from them', () => {
    const own = parse(
      'tiny: {memory: 256Mb, vcpus: 1, disk: 1Gb, swap: 16Mb, type: pvh, dist: trixie, fs: ext3, fsOptions: noatime, image: full, installMethod: debootstrap, serialDevice: hvc0, timezone: Asia/Tokyo, retention: {daily: 3}, proveDays: 0, managed: true, extra: quiet, graceDays: 0, mirror: "https://mirror.example.org/debian", role: udev, bridge: br0}',
    );
    expect(checkOrder({ name: 'a' }, { plans: own })).toMatchObject({
      plan: 'tiny',
      os: { type: 'pvh', dist: 'trixie', installMethod: 'debootstrap', timezone: 'Asia/Tokyo', extra: ['quiet'], role: 'udev' },
      storage: { fs: 'ext3', image: 'full' },
      backup: { retention: { daily: 3 }, proveDays: 0 },
      access: { managed: true },
      life: { graceDays: 0 },
      network: { bridge: 'br0' },
    });
  });

  it.each([
    ['small: 3', /small "3" must be a plan/],
    ['[]', /must be a list of plans/],
    ['{}', /no plan/],
    ['a: {memory: 1GiB, vcpus: 1, disk: 1GiB}', /a\.swap is missing/],
    ['a: {memory: 1GiB, vcpus: 1, disk: 1GiB, swap: 16Mb, colour: red}', /a\.colour is no key/],
    ['a: {memory: 1GiB, vcpus: 1, disk: 1GiB, swap: 16Mb, name: x}', /a\.name is no key/],
  ])('%j are refused', (text, reason) => {
    expect(() => parse(text)).toThrow(reason);
  });
});
