/** Backups that another dom0 has taken: found in a directory of this one, believed only where they are whole, and restored from. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createEnv } from '../../../../../activities/dom0/drivers.ts';
import type { StepEnv } from '../../../../../activities/dom0/env.ts';
import { takeBackup } from '../../../../../activities/dom0/steps/backup.ts';
import { bootGuest } from '../../../../../activities/dom0/steps/boot.ts';
import { fixCfg } from '../../../../../activities/dom0/steps/cfg-fix.ts';
import { findForeign } from '../../../../../activities/dom0/steps/foreign.ts';
import { planGuest } from '../../../../../activities/dom0/steps/plan-guest.ts';
import { restoreVolumes } from '../../../../../activities/dom0/steps/restore-volumes.ts';
import { recordText } from '../../../../../activities/dom0/backup/record.ts';
import type { GuestSpec } from '../../../../../contract/guest.ts';
import type { FakeDom0 } from '../../../../../fake/index.ts';
import { closeKnowing, dom0With, fakeDom0, settings, spec, stepEnv } from './support.ts';

const FIRST = spec('web1', '10.0.0.5', { dom0: 'lost0' });
const COPY = '/mnt/copy';

let lost: FakeDom0;
let dom0: FakeDom0;
let env: StepEnv;
let id: string;

/** A step on the other dom0, with these directories of backups. */
function envWith(foreignRepositories: readonly string[]): StepEnv {
  const quiet = { info: () => undefined, warn: () => undefined };
  return createEnv({
    host: dom0.host(),
    settings: { ...settings(), foreignRepositories: [...foreignRepositories] },
    signal: new AbortController().signal,
    attempt: 1,
    progress: () => undefined,
    log: quiet,
  });
}

async function copyBackups(from: StepEnv): Promise<void> {
  const place = '/var/backups/guestflow/web1';
  await env.host.files.makeDirectory(`${COPY}/web1`);
  for (const name of await from.host.files.list(place))
    await env.host.files.writeAtomic(`${COPY}/web1/${name}`, (await from.host.files.read(`${place}/${name}`)) ?? '');
}

/** The record, with something else in it, and a checksum that is right. */
async function rewrite(changes: (record: Record<string, unknown>) => Record<string, unknown>): Promise<void> {
  const path = `${COPY}/web1/${id}.json`;
  const { recordSha256: _sum, ...record } = JSON.parse(String(await env.host.files.read(path))) as Record<string, unknown>;
  await env.host.files.writeAtomic(path, recordText(changes(record)));
}

beforeEach(async () => {
  const former = await dom0With(FIRST);
  lost = former.dom0;
  ({ id } = await takeBackup(former.env, FIRST));
  dom0 = await fakeDom0();
  env = envWith([COPY]);
  await copyBackups(former.env);
});
afterEach(() => {
  closeKnowing(lost);
  closeKnowing(dom0);
});

describe('a backup that another dom0 has taken', () => {
  it('is found with what was ordered, and another guest is made of it that answers; the directory stays as it was', async () => {
    const found = await findForeign(env, { name: 'web1' });
    expect(found).toMatchObject({ order: FIRST.order, dom0: 'lost0', record: { id }, spec: { name: 'web1', size: FIRST.size } });
    const before = await env.host.files.list(`${COPY}/web1`);
    const origin = { guest: 'web1', order: FIRST.order, backup: id, dom0: 'lost0' };
    const { network, ...order } = { ...spec('web2', '10.0.0.6', { network: { mac: '00:16:3E:A3:69:9D' } }), origin };
    const planned = await planGuest(env, { order: { ...order, network: {} }, lease: network });
    await restoreVolumes(env, planned);
    await fixCfg(env, { spec: planned, disks: 'volume', onCrash: 'destroy' });
    await expect(bootGuest(env, planned)).resolves.toMatchObject({ rootDevice: expect.any(String) as string });
    expect(dom0.machine.disk('/dev/vg01/web2-root')?.content.fs?.files['/etc/hostname']).toBe('web2\n');
    expect(await env.host.files.list(`${COPY}/web1`)).toEqual(before);
    expect(await env.host.files.info('/var/backups/guestflow/web1')).toBeUndefined();
  });

  it('is looked for by id, by time, and by order; what there is not is refused with where it looked', async () => {
    await expect(findForeign(env, { name: 'web1', backup: id, order: FIRST.order })).resolves.toMatchObject({ record: { id } });
    for (const [wish, words] of [
      [{ name: 'web9' }, /no backup of web9 in \/mnt\/copy on dom0 dom0/],
      [{ name: 'web1', order: 'another' }, /no backup of web1 of order another in/],
      [{ name: 'web1', backup: '20200101T000000Z' }, /no verified backup 20200101T000000Z.*the first of 1 is/],
      [{ name: 'web1', at: '2020-01-01T00:00:00.000Z' }, /no verified backup of 2020-01-01.*or before/],
    ] as const)
      await expect(findForeign(env, wish)).rejects.toMatchObject({ type: 'NotFound', message: expect.stringMatching(words) as string });
  });

  it('needs a directory that the settings name', async () => {
    await expect(findForeign(stepEnv(dom0.host()), { name: 'web1' })).rejects.toMatchObject({
      type: 'HostNotReady',
      details: { field: 'foreignRepositories', mend: expect.stringContaining('dom0.yaml') as string },
    });
  });

  it('counts only if it is whole: a record that was changed, one of another guest, a link, and a file that was cut short are told as damaged', async () => {
    const { files } = env.host;
    const file = `${COPY}/web1/${id}.img.zst`;
    const content = (await files.read(file)) ?? Buffer.alloc(0);
    const record = (await files.read(`${COPY}/web1/${id}.json`)) ?? Buffer.alloc(0);
    const refused = async (): Promise<void> => {
      await expect(findForeign(env, { name: 'web1' })).rejects.toMatchObject({
        type: 'NotFound',
        message: expect.stringContaining(`damaged, or without their files: ${COPY}/web1/${id}.json`) as string,
      });
      await files.writeAtomic(file, content);
      await files.writeAtomic(`${COPY}/web1/${id}.json`, record);
      await expect(findForeign(env, { name: 'web1' })).resolves.toMatchObject({ record: { id } });
    };
    await files.writeAtomic(file, content.subarray(0, content.length - 1));
    await refused();
    await files.remove(file);
    await files.symlink('/dev/vg01/other-root', file);
    await refused();
    await files.writeAtomic(`${COPY}/web1/${id}.json`, String(record).replace('lost0', 'lost9'));
    await refused();
    await rewrite((was) => ({ ...was, guest: 'web2' }));
    await refused();
    await rewrite((was) => ({ ...was, spec: { name: 'web1' } }));
    await refused();
  });

  it('is read from the place that its guest and id make, whatever path its record names', async () => {
    await rewrite((was) => ({ ...was, key: '../../../dev/vg01/other-root' }));
    const [source] = env.foreign;
    const { backups } = (await source?.list('web1')) ?? { backups: [] };
    expect(backups.map(({ key }) => key)).toEqual([`web1/${id}.img.zst`]);
    expect(await source?.list('../web1')).toEqual({ backups: [], damaged: [] });
  });

  it('is not chosen between guests of two orders that had one name', async () => {
    const later = '20990101T000000Z';
    const { files } = env.host;
    await rewrite((was) => was);
    const former = JSON.parse(String(await files.read(`${COPY}/web1/${id}.json`))) as Record<string, unknown>;
    const { recordSha256: _sum, ...record } = former;
    const other = { ...record, id: later, order: 'another', spec: { ...(record['spec'] as GuestSpec), order: 'another' } };
    await files.writeAtomic(`${COPY}/web1/${later}.json`, recordText(other));
    await files.writeAtomic(`${COPY}/web1/${later}.img.zst`, (await files.read(`${COPY}/web1/${id}.img.zst`)) ?? '');
    await expect(findForeign(env, { name: 'web1' })).rejects.toMatchObject({
      type: 'InvalidInput',
      message: expect.stringContaining(`${FIRST.order}, another`) as string,
    });
    await expect(findForeign(env, { name: 'web1', order: 'another' })).resolves.toMatchObject({ order: 'another', record: { id: later } });
  });

  it('is not restored if borg keeps it: this dom0 has no passphrase for that', async () => {
    await rewrite((was) => ({ ...was, keptBy: 'borg', key: `web1/borg::${id}` }));
    const origin = { guest: 'web1', order: FIRST.order, backup: id, dom0: 'lost0' };
    await expect(restoreVolumes(env, { ...spec('web2', '10.0.0.6'), origin })).rejects.toMatchObject({
      type: 'InvalidInput',
      message: expect.stringContaining('borg') as string,
    });
  });
});
