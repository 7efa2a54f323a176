/** What a repository's directory says of itself, when there is no Temporal to ask. */
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execFileSync } from 'node:child_process';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { recordText } from '../../../activities/dom0/backup/record.ts';
import type { FoundGuest } from '../../../activities/dom0/backup/repositories/reading.ts';
import { storedBackup } from '../../a-backup.ts';
import { errorOf, run } from './run.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'guestflow-repository-'));
});
afterEach(() => {
  rmSync(directory, { recursive: true });
});

/** Puts a backup of seven bytes into the directory. */
function put(guest: string, id: string, more: object = {}): string {
  mkdirSync(join(directory, guest), { recursive: true });
  writeFileSync(join(directory, guest, `${id}.img.zst`), 'content');
  const record = join(directory, guest, `${id}.json`);
  writeFileSync(record, recordText({ ...storedBackup(guest, id), ...more }));
  return record;
}

async function guestsIn(...argv: string[]): Promise<FoundGuest[]> {
  const { code, stdout, stderr } = await run(['backups', '--repository', directory, ...argv, '--json']);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return (JSON.parse(stdout) as { guests: FoundGuest[] }).guests;
}

const [FIRST, SECOND] = ['20261123T020000Z', '20261124T020000Z'];

describe('guestflow backups --repository', () => {
  it('lists all guests and their backups, or those of one', async () => {
    put('web1', SECOND);
    put('web1', FIRST, { warnings: ['its kernel has found errors'] });
    put('db1', FIRST);
    expect((await guestsIn()).map(({ name, backups }) => [name, backups.map(({ id }) => id)])).toEqual([
      ['db1', [FIRST]],
      ['web1', [FIRST, SECOND]],
    ]);
    const [web1] = await guestsIn('web1');
    expect(web1!.backups[0]).toMatchObject({ id: FIRST, engine: 'blocks', path: join(directory, 'web1', `${FIRST}.img.zst`) });
    const { stdout } = await run(['backups', '--repository', directory]);
    expect(stdout).toMatch(/^GUEST +ID +TAKEN +SIZE +CONTENT +STATE +AS +ENGINE +REMARK\ndb1 /);
    expect(stdout).toMatch(/web1 +20261123T020000Z .* verified +crash +blocks +its kernel has found errors\n/);
  });

  it('is the same wherever the directory was carried to: what a record says of its place is not believed', async () => {
    put('web1', FIRST, { repository: '/etc', key: '../../../etc/shadow' });
    expect((await guestsIn())[0]!.backups[0]!.path).toBe(join(directory, 'web1', `${FIRST}.img.zst`));
  });

  it('tells of each record that is damaged, and of each backup without its file', async () => {
    const record = put('web1', FIRST);
    put('web1', SECOND);
    writeFileSync(record, 'no record');
    truncateSync(join(directory, 'web1', `${SECOND}.img.zst`), 3);
    expect(await guestsIn()).toEqual([
      {
        name: 'web1',
        backups: [],
        damaged: [
          { record: `${FIRST}.json`, reason: expect.stringMatching(/not, byte for byte/) as unknown },
          { record: `${SECOND}.json`, reason: expect.stringMatching(/has 3 bytes, and had 7/) as unknown },
        ],
      },
    ]);
    const { code, stdout } = await run(['backups', '--repository', directory]);
    expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringMatching(/no backups.*\n\nDAMAGED.*\nweb1 +2026/) as unknown });
  });

  it.each<[string, (record: string) => void]>([
    ['of another guest', (record) => writeFileSync(record, recordText(storedBackup('db1', FIRST)))],
    ['of another backup', (record) => writeFileSync(record, recordText(storedBackup('web1', SECOND)))],
    ['with a path for an id', (record) => writeFileSync(record, recordText({ ...storedBackup('web1', FIRST), id: '../../x' }))],
    ['with no sum', (record) => writeFileSync(record, recordText({ ...storedBackup('web1', FIRST), sha256: 'none' }))],
    [
      'with a size that is no number',
      (record) => writeFileSync(record, recordText({ ...storedBackup('web1', FIRST), bytes: '7' as never })),
    ],
    ['of 2 MiB', (record) => writeFileSync(record, recordText({ ...storedBackup('web1', FIRST), cfg: ' '.repeat(2 ** 21) }))],
    [
      'behind a link',
      (record) => {
        renameSync(record, join(directory, 'elsewhere'));
        symlinkSync(join(directory, 'elsewhere'), record);
      },
    ],
    [
      'that is a pipe, which is not waited for',
      (record) => {
        rmSync(record);
        execFileSync('mkfifo', [record]);
      },
    ],
  ])('does not take a record %s for one', async (_, change) => {
    change(put('web1', FIRST));
    expect(await guestsIn()).toMatchObject([{ backups: [], damaged: [{ record: `${FIRST}.json` }] }]);
  });

  it('follows no link to a backup or to a guest', async () => {
    put('web1', FIRST);
    renameSync(join(directory, 'web1', `${FIRST}.img.zst`), join(directory, 'file'));
    symlinkSync('../file', join(directory, 'web1', `${FIRST}.img.zst`));
    symlinkSync('web1', join(directory, 'db1'));
    expect(await guestsIn()).toMatchObject([
      { name: 'web1', backups: [], damaged: [{ reason: expect.stringMatching(/not there/) as unknown }] },
    ]);
  });

  it('prints no byte of a record that could steer the terminal', async () => {
    put('web1', FIRST, { warnings: ['\u001b[2Jgone\nnext'] });
    const { stdout } = await run(['backups', '--repository', directory]);
    expect(stdout).toContain('gone next');
    expect(stdout).not.toContain('\u001b');
  });

  it('shows all of one backup, and the cfg of its guest', async () => {
    put('web1', FIRST, { cfg: 'name = "web1"\n' });
    put('web1', SECOND);
    expect((await run(['backups', '--repository', directory, 'web1', '--backup', FIRST])).stdout).toMatch(/^guest +web1\nbackup +20261123/);
    expect((await run(['backups', '--repository', directory, 'web1', '--backup', FIRST, '--cfg'])).stdout).toBe('name = "web1"\n');
    const { stdout } = await run(['backups', '--repository', directory, 'web1', '--backup', FIRST, '--json']);
    expect(JSON.parse(stdout)).toMatchObject({ id: FIRST, disks: { root: 2 ** 31 }, spec: { name: 'web1' } });
  });

  it.each([
    [['web1'], 3, /no backups of web1/],
    [['../etc'], 2, /no name of a guest/],
    [['--backup', FIRST], 2, /no guest was named/],
    [['db1', '--backup', 'x'], 3, /holds no backup "x" of db1/],
    [['db1', '--prune'], 2, /--prune is for a guest/],
    [['db1', '--protect', FIRST], 2, /--protect is for a guest/],
  ])('refuses %j', async (argv, code, reason) => {
    put('db1', SECOND);
    const refused = await run(['backups', '--repository', directory, ...argv, '--json']);
    expect({ code: refused.code, stdout: refused.stdout }).toEqual({ code, stdout: '' });
    expect(errorOf(refused).message).toMatch(reason);
  });

  it('names what is wrong with a directory, and what its flags go with', async () => {
    const nowhere = join(directory, 'nowhere');
    expect(errorOf(await run(['backups', '--repository', nowhere, '--json']))).toMatchObject({ type: 'NotFound', field: 'repository' });
    expect(existsSync(nowhere)).toBe(false);
    expect(errorOf(await run(['backups', 'web1', '--backup', FIRST, '--json']))).toMatchObject({ type: 'InvalidInput', field: 'backup' });
    expect(errorOf(await run(['backups', '--json']))).toMatchObject({ type: 'InvalidInput', field: 'NAME' });
  });
});
