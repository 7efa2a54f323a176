/** The module for WHMCS, run by PHP with the parameters that WHMCS sends, against a real gateway. */
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { until } from '../../system/until.ts';
import { capacitySchema } from '../../gateway/v1/answers.ts';
import { countOnce } from '../count-traffic.ts';
import { titled } from './machine.ts';
import { call, openShop, SENTENCE, why, type Answer, type Shop } from './whmcs/rig.ts';

const PASSWORD = 'correct horse "battery" \' $staple';
const KEY = `ssh-ed25519 ${Buffer.concat([Buffer.from([0, 0, 0, 11]), Buffer.from('ssh-ed25519'), Buffer.from([0, 0, 0, 32]), Buffer.alloc(32, 7)]).toString('base64')}`;

describe.skipIf(why !== undefined)(titled('the module for WHMCS', why), { timeout: 120_000 }, () => {
  let shop: Shop;
  beforeAll(async () => {
    shop = await openShop();
  }, 120_000);
  afterAll(async () => {
    await shop.close();
  }, 60_000);

  async function names(): Promise<string[]> {
    const { guests } = (await shop.ask('GET', '/v1/guests?limit=200')) as { guests: { name: string }[] };
    return guests.map(({ name }) => name).sort();
  }

  async function done(name: string, params: Record<string, unknown>, properties: Record<string, string> = {}): Promise<Answer> {
    const answer = await call(name, { params, properties });
    expect(answer.result).toBe('success');
    expect(answer.seconds).toBeLessThan(10);
    return answer;
  }

  /** A guest of a service of its own, that runs. */
  async function running(id: number, changes: object = {}): Promise<string> {
    await done('CreateAccount', shop.service(id, changes));
    await shop.settled(`whmcs-${id}`, 'running');
    return `whmcs-${id}`;
  }

  async function remove(guest: string): Promise<void> {
    await shop.ask('POST', `/v1/guests/${guest}/terminate`, { now: true, confirm: guest });
    await shop.settled(guest, 'gone');
  }

  it('makes one guest of eight clicks at once, and keeps the password and the token to itself', async () => {
    const params = shop.service(1042);
    const answers = await Promise.all(Array.from({ length: 8 }, () => call('CreateAccount', { params, properties: {} })));
    expect(answers.map(({ result }) => result)).toEqual(Array.from({ length: 8 }, () => 'success'));
    const guest = await shop.settled('whmcs-1042', 'running');
    expect((await names()).filter((name) => name.startsWith('whmcs-1042'))).toEqual(['whmcs-1042']);
    expect(guest).toMatchObject({ plan: 'small', hostname: 'shop1042.example.org', customer: 'whmcs-7', order: 'whmcs-1042' });
    expect(answers[0]?.properties).toEqual({ Username: 'root' });
    const logged = JSON.stringify(answers.map(({ log }) => log));
    expect(logged).toContain('POST /v1/guests');
    for (const written of [logged, shop.gatewayLog()])
      for (const secret of [PASSWORD, 'horse', '$6$', shop.token]) expect(written).not.toContain(secret);
  });

  it('suspends, goes on, changes the package and renews; each answer is for the guest as it is then', async () => {
    const guest = await running(1);
    await done('SuspendAccount', shop.service(1));
    await shop.settled(guest, 'suspended');
    await done('SuspendAccount', shop.service(1));
    await done('UnsuspendAccount', shop.service(1));
    await shop.settled(guest, 'running');
    await done('SuspendAccount', shop.service(1));
    await shop.settled(guest, 'suspended');
    expect((await call('ChangePackage', { params: shop.service(1, { configoption1: 'medium' }) })).result).toMatch(/suspended/);
    await done('UnsuspendAccount', shop.service(1));
    await shop.settled(guest, 'running');
    await done('ChangePackage', shop.service(1, { configoption1: 'medium' }));
    expect(await shop.settled(guest, 'running')).toMatchObject({ plan: 'medium', memoryBytes: 512 * 2 ** 20, diskBytes: 2 ** 33 });
    await done('ChangePackage', shop.service(1, { configoption1: 'medium' }));
    expect((await call('ChangePackage', { params: shop.service(1, { configoption1: 'small' }) })).result).toMatch(/no disk smaller/);
    await done('Renew', shop.service(1));
    await done('CreateAccount', shop.service(1, { configoption1: 'large' }));
    expect(await shop.settled(guest, 'running')).toMatchObject({ plan: 'medium' });
  });

  it('brings a guest back that is created anew within its grace period, also one that was suspended before', async () => {
    const guest = await running(2);
    const { ip } = await shop.settled(guest, 'running');
    await done('SuspendAccount', shop.service(2));
    await shop.settled(guest, 'suspended');
    await done('TerminateAccount', shop.service(2));
    await shop.settled(guest, 'terminating');
    await done('TerminateAccount', shop.service(2));
    expect((await call('Renew', { params: shop.service(2) })).result).toMatch(/terminating/);
    await done('CreateAccount', shop.service(2));
    expect(await shop.settled(guest, 'running')).toMatchObject({ ip });
  });

  it('begins another life when the guest is gone, whether WHMCS kept the number of the life or not', async () => {
    const guest = await running(3);
    await remove(guest);
    await done('TerminateAccount', shop.service(3));
    expect((await call('SuspendAccount', { params: shop.service(3) })).result).toMatch(/whmcs-3 is gone/);
    const { properties } = await done('CreateAccount', shop.service(3));
    expect(properties).toEqual({ Username: 'root', 'guestflow life': '2' });
    await shop.settled('whmcs-3-2', 'running');
    await done('CreateAccount', shop.service(3), properties);
    // This one has lost its properties, and that one sends no model.
    await done('SuspendAccount', shop.service(3));
    await shop.settled('whmcs-3-2', 'suspended');
    expect((await call('UnsuspendAccount', { params: shop.service(3) })).result).toBe('success');
    await shop.settled('whmcs-3-2', 'running');
    expect((await names()).filter((name) => /^whmcs-3(?:-|$)/.test(name))).toEqual(['whmcs-3', 'whmcs-3-2']);
  });

  it('makes nothing for a service that is only ended, and says so of one that is only suspended', async () => {
    await done('TerminateAccount', shop.service(4));
    for (const name of ['SuspendAccount', 'UnsuspendAccount', 'ChangePackage', 'Renew', 'backup'])
      expect([name, (await call(name, { params: shop.service(4) })).result]).toEqual([
        name,
        'guestflow has no guest whmcs-4: create the service first',
      ]);
    expect(await names()).not.toContain('whmcs-4');
  });

  it('says that a guest is still being made, and does nothing to it meanwhile', async () => {
    const { faults } = shop.fake;
    let go = (): void => undefined;
    const until = new Promise<void>((resolve) => (go = resolve));
    onTestFinished(() => {
      go();
      faults.restart();
    });
    faults.add({ kind: 'wait', match: ({ name }) => name === 'xen-create-image', until });
    await done('CreateAccount', shop.service(10));
    await shop.underWay('whmcs-10');
    for (const name of ['SuspendAccount', 'TerminateAccount', 'backup'])
      expect([name, (await call(name, { params: shop.service(10) })).result]).toEqual([
        name,
        expect.stringMatching(/^guestflow: \w+ of whmcs-10 is refused: the guest is provisioning$/),
      ]);
    await done('CreateAccount', shop.service(10));
    expect((await call('ClientArea', { params: shop.service(10) })).result).toMatchObject({
      templateVariables: { guestflow: { state: 'being set up', working: 'provision', backups: [] } },
    });
    go();
    await shop.settled('whmcs-10', 'running');
  });

  it('shows an admin why an order failed, and orders anew on the next click', async () => {
    const { faults } = shop.fake;
    onTestFinished(() => faults.restart());
    faults.noMirror = true;
    const params = shop.service(11, { configoptions: { distribution: 'Trixie' } });
    await done('CreateAccount', params);
    await shop.settled('whmcs-11', 'failed');
    faults.noMirror = false;
    const { result } = await call('AdminServicesTabFields', { params });
    expect(result).toMatchObject({ State: 'failed', Error: expect.stringMatching(/^\w+ .*trixie/) as string });
    expect((await call('SuspendAccount', { params })).result).toMatch(/whmcs-11 is failed: /);
    await done('CreateAccount', params);
    await shop.settled('whmcs-11', 'running');
  });

  it('shuts a guest down, starts it and reboots it by the buttons, but not one that is suspended', async () => {
    const guest = await running(12);
    await done('stop', shop.service(12));
    await shop.settled(guest, 'stopped');
    await done('start', shop.service(12));
    await shop.settled(guest, 'running');
    await done('stop', shop.service(12));
    await shop.settled(guest, 'stopped');
    expect((await call('reboot', { params: shop.service(12) })).result).toMatch(/the guest is stopped/);
    await done('start', shop.service(12));
    await shop.settled(guest, 'running');
    await done('reboot', shop.service(12));
    await shop.settled(guest, 'running');
    const { operations } = (await shop.ask('GET', `/v1/guests/${guest}/operations`)) as { operations: { kind: string }[] };
    expect(operations.filter(({ kind }) => kind === 'reboot')).toHaveLength(1);
    await done('SuspendAccount', shop.service(12));
    await shop.settled(guest, 'suspended');
    expect((await call('start', { params: shop.service(12) })).result).toMatch(/the guest is suspended/);
  });

  it('changes the password of root, by a restart only where the product allows one, and keeps it to itself', async () => {
    const guest = await running(14);
    const kindsDone = async (): Promise<string[]> => {
      const { operations } = (await shop.ask('GET', `/v1/guests/${guest}/operations`)) as { operations: { kind: string; state: string }[] };
      return operations.filter(({ kind }) => kind === 'setPassword').map(({ state }) => state);
    };
    const [next, later] = ['another horse 7" $x', 'a third one'];
    const shadow = (): string => JSON.stringify(shop.fake.snapshot().volumes.find(({ name }) => name === `${guest}-root`));
    const refused = async (changes: object): Promise<unknown> =>
      (await call('ChangePassword', { params: shop.service(14, changes) })).result;
    expect(await refused({ password: next, configoption5: '' })).toMatch(/needs a restart, which this product does not allow/);
    expect(await refused({ password: next, configoption4: '' })).toMatch(/has no password in guests of this product/);
    expect(await refused({ password: 'a\nroot::0:0' })).toMatch(/control characters/);
    expect(await refused({ password: '' })).toMatch(/no password/);
    expect(await kindsDone()).toEqual([]);
    const before = shadow();
    const answer = await done('ChangePassword', shop.service(14, { password: next }));
    await shop.settled(guest, 'running');
    expect(await kindsDone()).toEqual(['done']);
    expect(shadow()).not.toBe(before);
    for (const written of [JSON.stringify(answer.log), shop.gatewayLog()])
      for (const secret of [next, 'another horse', '$6$', shop.token]) expect(written).not.toContain(secret);
    await done('stop', shop.service(14));
    await shop.settled(guest, 'stopped');
    await done('ChangePassword', shop.service(14, { password: later, configoption5: '' }));
    await shop.settled(guest, 'stopped');
    expect(await kindsDone()).toEqual(['done', 'done']);
    await done('SuspendAccount', shop.service(14));
    await shop.settled(guest, 'suspended');
    expect(await refused({ password: next })).toMatch(/the guest is suspended/);
  });

  it('installs the system of a guest anew by its button, and keeps the disk of before', async () => {
    const guest = await running(15);
    const { ip } = await shop.settled(guest, 'running');
    await done('reinstall', shop.service(15));
    expect(await shop.settled(guest, 'running')).toMatchObject({ ip, kept: { role: 'former' } });
  });

  it('shows customer and admin the guest, and takes one backup of two presses of its button', async () => {
    const guest = await running(5, { customfields: { 'ssh KEY': `${KEY}\n` }, configoption4: '' });
    // Presses count as one within five minutes of the clock.
    await until(() => Promise.resolve((Date.now() / 1_000) % 300 < 295), { everyMs: 500 });
    await done('backup', shop.service(5));
    await done('backup', shop.service(5));
    await shop.settled(guest, 'running');
    const { result, properties } = await call('ClientArea', { params: shop.service(5), properties: {} });
    const { ip } = await shop.settled(guest, 'running');
    expect(properties).toEqual({ 'Dedicated IP': ip });
    expect(result).toMatchObject({
      tabOverviewModuleOutputTemplate: 'templates/overview.tpl',
      templateVariables: {
        guestflow: {
          isKnown: true,
          state: 'running',
          ip,
          plan: 'small',
          memory: '256 MiB',
          vcpus: '1',
          disk: '2 GiB',
          hostname: 'shop5.example.org',
        },
      },
    });
    const { backups } = (result as { templateVariables: { guestflow: { backups: object[] } } }).templateVariables.guestflow;
    // By the rule of its plan, the last one of a day stays.
    expect(backups).toHaveLength(1);
    const { operations } = (await shop.ask('GET', `/v1/guests/${guest}/operations`)) as { operations: { kind: string }[] };
    // The first one of every guest, and one for both presses.
    expect(operations.filter(({ kind }) => kind === 'backup')).toHaveLength(2);
    expect(backups[0]).toMatchObject({
      mark: 'verified',
      state: 'checked',
      takenAt: expect.stringMatching(/^\d{4}-\d\d-\d\d \d\d:\d\d UTC$/) as string,
    });
    expect(JSON.stringify(result)).not.toContain('storm1');
    const { result: rows } = await call('AdminServicesTabFields', { params: shop.service(5) });
    expect(rows).toMatchObject({
      Guest: guest,
      State: 'running',
      Address: ip,
      Dom0: 'storm1',
      'Last operations': expect.stringMatching(/backup done/) as string,
    });
  });

  it('writes the size of the disk, the address and the traffic of this month of each service, and leaves alone what is not known', async () => {
    const guest = await running(6);
    await countOnce(shop.fake);
    shop.fake.state.domains.find(({ name }) => name === guest)!.traffic = [{ inBytes: 5 * 2 ** 20, outBytes: 2 ** 31 }];
    const [row, unknown, other] = [6, 8, 9].map((id) => ({
      id,
      server: id === 9 ? 3 : 2,
      domainstatus: 'Active',
      diskusage: 11,
      disklimit: 0,
      bwusage: 7,
      bwlimit: 9,
      dedicatedip: '',
      lastupdate: '2026-01-01 00:00:00',
    }));
    const { result, rows } = await call('UsageUpdate', {
      params: shop.service(0),
      rows: [row ?? {}, unknown ?? {}, other ?? {}],
    });
    expect(result).toBe('success');
    const { ip } = await shop.settled('whmcs-6', 'running');
    expect(rows).toEqual([
      { ...row, disklimit: 2_048, bwusage: 2_053, dedicatedip: ip, lastupdate: expect.not.stringMatching(/^2026-01-01/) as string },
      unknown,
      other,
    ]);
  });

  it('has a gateway that tells a panel what is sold of the dom0 and what is left, as its ledger has it', async () => {
    await running(13);
    const { dom0s, networks } = capacitySchema.strict().parse(await shop.ask('GET', '/v1/capacity'));
    const guests = (await names()).length;
    expect(dom0s).toMatchObject([{ dom0: 'storm1', isServed: true, drained: false, networks: ['10.20.0.0/20'] }]);
    const [dom0] = dom0s;
    expect(dom0?.guests).toBeGreaterThan(0);
    expect(dom0?.guests).toBeLessThanOrEqual(guests);
    for (const unit of ['memoryBytes', 'vcpus', 'diskBytes'] as const)
      expect((dom0?.sold[unit] ?? 0) + (dom0?.byHand[unit] ?? 0) + (dom0?.left?.[unit] ?? 0)).toBe(dom0?.sellable?.[unit]);
    expect(networks).toMatchObject([{ cidr: '10.20.0.0/20', leased: dom0?.guests }]);
    expect(dom0?.freeAddresses).toBeLessThan(4_094);
  });

  it('offers the plans of the gateway, and tells an admin whose token or server is wrong what to do', async () => {
    expect((await call('PlanLoader', { params: shop.service(1) })).result).toEqual({
      small: 'small: 256 MiB memory, 1 vCPU, 2 GiB disk',
      medium: 'medium: 512 MiB memory, 2 vCPU, 8 GiB disk',
      large: 'large: 4 GiB memory, 4 vCPU, 40 GiB disk',
    });
    expect((await call('TestConnection', { params: shop.service(1) })).result).toEqual({ success: true, error: '' });
    const wrong = async (changes: object): Promise<unknown> => {
      const { result, log } = await call('TestConnection', { params: shop.service(1, changes) });
      expect(JSON.stringify([result, log])).not.toContain(shop.token);
      return (result as { error: string }).error;
    };
    expect(await wrong({ serverpassword: shop.readerToken })).toBe('the token is not for plans:read: make one with that scope');
    expect(await wrong({ serverpassword: `gf_whmcs_${'a'.repeat(43)}` })).toMatch(/does not know the token/);
    expect(await wrong({ serverpassword: 'secret' })).toMatch(/is no token of guestflow/);
    expect(await wrong({ serverhostname: 'https://gateway.example.org/x' })).toMatch(/needs a host name/);
    expect(await wrong({ serverhostname: 'gateway.example.org' })).toMatch(/must be set to use SSL/);
    expect(await wrong({ serverport: '99999' })).toMatch(/port/);
    expect((await call('PlanLoader', { params: shop.service(1, { serverpassword: '' }) })).result).toEqual({
      thrown: expect.stringMatching(/is no token/) as string,
    });
  });

  const long = 'a'.repeat(2 ** 20);
  it.each<[string, Record<string, unknown>, RegExp]>([
    ['a host name with quotes', { domain: '"><script>alert(1)</script>\'' }, /hostname/],
    ['a host name that climbs', { domain: '../../etc/passwd' }, /hostname/],
    ['a host name in unicode', { domain: 'магазин.example.org' }, /hostname/],
    ['a host name of a megabyte', { domain: long }, /domain has 1048576 bytes/],
    ['a host name that is a list', { domain: ['a'] }, /domain is no text/],
    [
      'a host name that is no UTF-8',
      { domain: { bytes: Buffer.from([0xff, 0xfe, 0x41]).toString('base64') } },
      /characters that no text has/,
    ],
    ['a host name with a null byte', { domain: 'a\u0000b' }, /characters that no text has/],
    ['a plan that there is not', { configoption1: "small'; --" }, /plan/],
    ['no plan', { configoption1: undefined }, /has no plan/],
    ['a service that is none', { serviceid: '1 OR 1=1' }, /serviceid/],
    ['a service of zero', { serviceid: 0 }, /no serviceid/],
    ['a service that is a list', { serviceid: [1] }, /serviceid is no text/],
    ['nothing at all', { serviceid: undefined, serverpassword: undefined, serverhostname: undefined, serverip: undefined }, /host name/],
    ['a user name of the server that climbs', { serverusername: '../x' }, /user name of the server/],
    ['a password with a line end', { password: 'a\nroot::0:0' }, /password/],
    ['a password of a megabyte', { password: long }, /password/],
    ['a password that is a list', { password: ['a'] }, /no password/],
    ['an SSH key that is a command', { customfields: { 'SSH key': 'command="rm -rf /" ssh-ed25519 AAAA' } }, /sshKeys/],
    ['custom fields that are text', { customfields: 'x', configoptions: 7, configoption4: '' }, /nobody could log in/],
    ['a key of a custom field that is a list', { customfields: { 'SSH key': { a: 1 } } }, /SSH key is no text/],
    ['a distribution that there is not', { configoptions: { Distribution: 'warty' } }, /dist/],
    ['a customer that is none', { userid: -1 }, /userid/],
  ])('takes %s for what it is: one sentence, and no guest', async (_what, changes, about) => {
    const before = await names();
    const { result, log } = await call('CreateAccount', { params: shop.service(900, changes), properties: {} });
    expect(result).toMatch(SENTENCE);
    expect(result).toMatch(about);
    expect(JSON.stringify([result, log])).not.toMatch(/defect|Stack|battery|\$6\$/);
    expect(await names()).toEqual(before);
  });

  it('takes hostile parameters in every function without a warning, and makes no guest of them', async () => {
    const hostile = {
      serviceid: ['1'],
      domain: { a: 1 },
      configoption1: [long.slice(0, 10_000)],
      customfields: null,
      serverid: 'x',
      userid: {},
    };
    const before = await names();
    for (const name of [
      'SuspendAccount',
      'UnsuspendAccount',
      'TerminateAccount',
      'ChangePackage',
      'ChangePassword',
      'Renew',
      'backup',
      'UsageUpdate',
    ])
      expect([name, (await call(name, { params: shop.service(1, hostile), properties: { 'guestflow life': '../9' } })).result]).toEqual([
        name,
        expect.stringMatching(SENTENCE),
      ]);
    const { result } = await call('ClientArea', { params: shop.service(1, hostile) });
    expect(result).toMatchObject({
      templateVariables: { guestflow: { isKnown: false, state: expect.stringMatching(/cannot be shown/) as string } },
    });
    expect((await call('AdminServicesTabFields', { params: shop.service(1, hostile) })).result).toEqual({
      guestflow: 'serviceid is no text',
    });
    expect(await names()).toEqual(before);
  });
});
