/** Guests whose disks are files, by both recipes, through the real workflows: a whole life, and nothing is left of it. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { until } from '../../system/until.ts';
import { anOrder } from '../an-order.ts';
import { twoDom0s, type TwoDom0s } from './two-dom0s.ts';

const DIRECTORY = '/home/xen/disks';
const GiB = 2 ** 30;

let world: TwoDom0s;

beforeAll(async () => {
  world = await twoDom0s(['files1', 'files2'], { diskDir: DIRECTORY });
  await world.startFirst();
});
afterAll(async () => {
  await world.end();
});

const names = async (): Promise<string[]> => (await world.first.host().files.list(DIRECTORY)).filter((name) => name !== '.guestflow');
const disksOf = (guest: string): string[] =>
  world.first.machine.state.domains.filter(({ name }) => name === guest).flatMap(({ disks }) => disks.map(({ source }) => source).sort());

it('is not sold before its directory is there, which prepare makes for root alone', async () => {
  const { flow } = world;
  await flow.order(anOrder('early1', 'files1'));
  expect(await flow.waitFor('early1')).toMatchObject({ phase: 'failed', error: { type: 'NoCapacity' } });
  expect(await flow.dom0Task('files1', 'preflight')).toMatchObject({ ok: false });
  expect(await flow.dom0Task('files1', 'prepare')).toMatchObject({ ok: true });
  expect((await world.first.host().files.info(DIRECTORY))?.mode).toBe(0o700);
  await world.stopFirst();
  await world.startFirst();
  expect((await flow.dom0State('files1')).facts?.pools).toMatchObject([{ name: DIRECTORY, freeBytes: 64 * GiB }]);
});

it.each([
  ['how-to', 'web1', '192.168.77.20'],
  ['direct', 'web2', '192.168.77.21'],
] as const)('by the recipe %s lives on files: ordered, backed up, restored, grown, proven, terminated', async (recipe, name, ip) => {
  const { flow, first } = world;
  await flow.order(anOrder(name, 'files1', { network: { ip }, os: { recipe } }));
  expect((await flow.waitFor(name)).phase).toBe('running');
  expect(disksOf(name)).toEqual([`${DIRECTORY}/${name}-root/disk.img`, `${DIRECTORY}/${name}-swap/disk.img`]);
  await until(async () => (await flow.status(name)).backups.length === 1, { everyMs: 50 });
  const [backup] = (await flow.status(name)).backups;
  expect(backup).toMatchObject({ consistency: 'paused', state: 'verified' });
  expect(await flow.operate(name, 'prove')).toMatchObject({ phase: 'running' });
  expect((await flow.status(name)).backups[0]).toMatchObject({ state: 'proven' });
  expect(await flow.operate(name, 'restore', { backup: backup?.id ?? '' })).toMatchObject({ phase: 'running' });
  expect(await names()).toEqual([`${name}-former`, `${name}-root`, `${name}-swap`]);
  expect(await flow.operate(name, 'keepRestored')).toMatchObject({ phase: 'running' });
  for (const [how, diskBytes] of [
    ['live', 4 * GiB],
    ['offline', 5 * GiB],
    ['offline', 3 * GiB],
  ] as const)
    expect(await flow.operate(name, 'resize', { resize: { diskBytes, how } })).toMatchObject({ phase: 'running', resized: { how } });
  expect(first.machine.disk(`${DIRECTORY}/${name}-root/disk.img`)?.bytes).toBe(3 * GiB);
  expect((await flow.auditLedger('files1')).orphans).toEqual([]);
  expect(await flow.operate(name, 'terminate', { now: true })).toMatchObject({ phase: 'gone' });
  expect(await names()).toEqual([]);
  expect((await flow.dom0State('files1')).promised).toEqual([]);
  expect(first.unknown).toEqual([]);
});
