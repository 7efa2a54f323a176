/** What a dom0 and a backup host take of each other. */
import { PassThrough, Readable } from 'node:stream';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  answerLine,
  answerReader,
  LONGEST_LINE,
  LONGEST_REQUEST,
  LONGEST_SEEN,
  parseRequest,
  requestLine,
  type Answer,
  type Request,
} from '../../../../../activities/dom0/backup/remote/protocol.ts';
import { Room, type Limits } from '../../../../../activities/dom0/backup/remote/room.ts';
import { serveBackups } from '../../../../../activities/dom0/backup/remote/serve.ts';
import { forcedCommandOf } from '../../../../../activities/dom0/tools/pull-ssh.ts';
import { proofText } from '../../../../../activities/dom0/backup/proof.ts';
import { DirectoryRepository } from '../../../../../activities/dom0/backup/repositories/directory.ts';
import type { Work } from '../../../../../activities/dom0/work.ts';
import { createHostFiles } from '../../../../../system/host.ts';
import { recordText, sumOf } from '../../../../../activities/dom0/backup/record.ts';
import { storedBackup } from '../../../../a-backup.ts';

const ID = '20261101T020000Z';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'guestflow-serve-'));
  mkdirSync(join(directory, 'web1'));
  writeFileSync(join(directory, 'web1', `${ID}.img.zst`), 'content');
  writeFileSync(join(directory, 'web1', `${ID}.json`), recordText(storedBackup('web1', ID)));
});
afterEach(() => rmSync(directory, { recursive: true }));

/** The answer to these bytes of standard input. */
async function answerTo(request: string | Uint8Array): Promise<string> {
  const output = new PassThrough({ highWaterMark: 2 ** 24 });
  await serveBackups(directory, Readable.from([Buffer.from(request)]), output).catch(() => undefined);
  return (output.read() as Buffer | null)?.toString('latin1') ?? '';
}

describe('a request', () => {
  it('is read as it was written', () => {
    const longest = 'a'.repeat(63);
    const all: Request[] = [{ what: 'list' }, { what: 'send', guest: longest, id: ID, offset: Number.MAX_SAFE_INTEGER }];
    for (const request of all) {
      expect(parseRequest(requestLine(request))).toEqual(request);
      expect(requestLine(request).length).toBeLessThan(LONGEST_REQUEST);
    }
  });

  const hostile = [
    ...['', ' list', 'list ', 'LIST', 'list\r', 'list\0', 'delete web1', 'send', 'send web1', `send web1 ${ID}`, `send  web1 ${ID} 0`],
    ...[`send ../web1 ${ID} 0`, `send /etc ${ID} 0`, `send .. ${ID} 0`, `send . ${ID} 0`, `send web1/ ${ID} 0`, `send -rf ${ID} 0`],
    ...[`send web1 ../../etc/passwd 0`, `send web1 ${ID}.json 0`, `send web1 ${ID}/.. 0`, `send web1 2026110١T020000Z 0`],
    ...[`send web1 ${ID} -1`, `send web1 ${ID} 01`, `send web1 ${ID} 1e3`, `send web1 ${ID} 9999999999999999`, `send web1 ${ID} 0 0`],
    ...[`send web1 ${ID} 0;id`, `send $(id) ${ID} 0`, `send web1 ${ID} 0 --repository /etc`, `send ${'a'.repeat(64)} ${ID} 0`],
  ];
  it.each(hostile)('%j is refused, with no file read', async (line) => {
    expect(() => parseRequest(line)).toThrow(expect.objectContaining({ type: 'InvalidInput' }));
    expect(await answerTo(`${line}\n`)).toMatch(/^\{"is":"refused","reason":"this is no request/);
  });

  it('that has no end is given up on', async () => {
    expect(await answerTo(Buffer.alloc(100_000, 'a'))).toMatch(/^\{"is":"refused"/);
    expect(await answerTo('')).toMatch(/^\{"is":"refused"/);
  });
});

describe('serve-backups', () => {
  it('lists what is whole, tells what is damaged, and does not know what is half', async () => {
    writeFileSync(join(directory, 'web1', '20261102T020000Z.img.zst.0badcafe.guestflow-part'), 'half');
    writeFileSync(join(directory, 'web1', '20261103T020000Z.img.zst'), 'not recorded yet');
    writeFileSync(join(directory, 'web1', '20261104T020000Z.json'), recordText(storedBackup('web1', '20261104T020000Z')));
    expect((await answerTo('list\n')).split('\n')).toEqual([
      answerLine({ is: 'problem', of: 'web1/20261104T020000Z.json', reason: 'its file 20261104T020000Z.img.zst is not there' }).trim(),
      answerLine({ is: 'record', guest: 'web1', id: ID, recordSha256: sumOf(storedBackup('web1', ID)), bytes: 7 }).trim(),
      '{"is":"end"}',
      '',
    ]);
  });

  it('sends a record and the bytes of its file from where they are asked for', async () => {
    const head = answerLine({ is: 'backup', record: readFileSync(join(directory, 'web1', `${ID}.json`), 'utf8') });
    expect(await answerTo(`send web1 ${ID} 0\n`)).toBe(`${head}content`);
    expect(await answerTo(`send web1 ${ID} 3\nlist\n`)).toBe(`${head}tent`);
    expect(await answerTo(`send web1 ${ID} 7\n`)).toBe(head);
    expect(await answerTo(`send web1 ${ID} 8\n`)).toMatch(/^\{"is":"refused","reason":"[^"]*has 7 bytes/);
    expect(await answerTo(`send db1 ${ID} 0\n`)).toMatch(/^\{"is":"refused"/);
  });

  it('sends a record as it was written, whatever a proof beside it says; a list tells that, and what is protected', async () => {
    const before = await answerTo(`send web1 ${ID} 0\n`);
    const proof = { at: '2026-11-02T02:00:00.000Z', seconds: 1, outcome: 'proven', what: '\u0001'.repeat(10_000) } as const;
    writeFileSync(join(directory, 'web1', `${ID}.proof.json`), proofText(storedBackup('web1', ID), proof));
    writeFileSync(join(directory, 'web1', `${ID}.protected.json`), '');
    const [line = ''] = (await answerTo('list\n')).split('\n');
    expect(JSON.parse(line)).toEqual({
      ...{ is: 'record', guest: 'web1', id: ID, recordSha256: sumOf(storedBackup('web1', ID)), bytes: 7, isProtected: true },
      proof: { ...proof, what: '\u0001'.repeat(LONGEST_SEEN) },
    });
    expect(line.length).toBeLessThan(LONGEST_LINE);
    expect(await answerTo(`send web1 ${ID} 0\n`)).toBe(before);
  });

  it('names what is in a borg repository, and does not send it', async () => {
    const inBorg = { ...storedBackup('web1', '20261104T020000Z'), key: 'web1/borg::20261104T020000Z', keptBy: 'borg' as const };
    writeFileSync(join(directory, 'web1', `${inBorg.id}.json`), recordText(inBorg));
    expect(await answerTo('list\n')).toMatch(
      /"is":"problem","of":"web1\/20261104T020000Z.json","reason":"the borg repository that it is in/,
    );
    mkdirSync(join(directory, 'web1', 'borg'));
    writeFileSync(join(directory, 'web1', 'borg', 'config'), '');
    const lines = (await answerTo('list\n')).split('\n');
    expect(lines[1]).toMatch(/"is":"problem","of":"web1\/20261104T020000Z","reason":"is in a borg repository/);
    expect(lines.filter((line) => line.includes('"record"'))).toHaveLength(1);
    expect(await answerTo(`send web1 ${inBorg.id} 0\n`)).toMatch(/^\{"is":"refused","reason":"[^"]*is in a borg repository/);
  });

  it('follows no link', async () => {
    rmSync(join(directory, 'web1', `${ID}.img.zst`));
    symlinkSync('/etc/hostname', join(directory, 'web1', `${ID}.img.zst`));
    symlinkSync('/etc', join(directory, 'etc'));
    expect(await answerTo(`send web1 ${ID} 0\n`)).toMatch(/^\{"is":"refused"/);
    expect(await answerTo(`send etc ${ID} 0\n`)).toMatch(/^\{"is":"refused"/);
  });
});

describe('an answer', () => {
  it('means the same however it is cut into pieces', async () => {
    const bytes = Buffer.from([0, 10, 255, 10]);
    const whole = Buffer.concat([
      Buffer.from(answerLine({ is: 'problem', of: 'ä', reason: 'ü' }) + answerLine({ is: 'backup', record: 'x' })),
      bytes,
    ]);
    for (let size = 1; size <= whole.length; size += 1) {
      const lines: Answer[] = [];
      const heard: Uint8Array[] = [];
      const read = answerReader({
        longest: 100,
        line: (answer) => lines.push(answer) === 2,
        bytes: (piece) => Promise.resolve(void heard.push(piece)),
      });
      for (let at = 0; at < whole.length; at += size) await read(whole.subarray(at, at + size));
      expect(lines.map(({ is }) => is)).toEqual(['problem', 'backup']);
      expect(Buffer.concat(heard)).toEqual(bytes);
    }
  });

  const proof = { at: '2026-11-28T00:00:00.000Z', seconds: 1, outcome: 'proven', what: 'web1 login:' };
  it.each<[string, object, string]>([
    ['a proof of no outcome', { proof: { ...proof, outcome: 'good' } }, 'refused'],
    ['a proof with more in it', { proof: { ...proof, path: '/etc' } }, 'refused'],
    ['a proof that has seen too much', { proof: { ...proof, what: 'a'.repeat(LONGEST_SEEN + 1) } }, 'refused'],
    ['a proof of no time', { proof: { ...proof, at: '../x' } }, 'refused'],
    ['a protection that is none', { isProtected: false }, 'refused'],
    ['a proof and a protection', { proof, isProtected: true }, 'taken'],
  ])('of a backup with %s is believed only if it makes sense', async (_, more, how) => {
    const record = { is: 'record', guest: 'web1', id: ID, recordSha256: 'a'.repeat(64), bytes: 1, ...more };
    const heard: Answer[] = [];
    const read = answerReader({ longest: LONGEST_LINE, line: (answer) => heard.push(answer) > 1, bytes: () => Promise.resolve() });
    const reading = read(Buffer.from(`${JSON.stringify(record)}\n`));
    await (how === 'taken' ? reading : expect(reading).rejects.toMatchObject({ type: 'BackupUnusable' }));
    expect(heard).toEqual(how === 'taken' ? [record] : []);
  });

  it('is bounded in its lines, whether they end or not', async () => {
    for (const text of ['x'.repeat(101), `${'x'.repeat(101)}\n`]) {
      const read = answerReader({ longest: 100, line: () => false, bytes: () => Promise.resolve() });
      await expect(read(Buffer.from(text))).rejects.toMatchObject({
        type: 'BackupUnusable',
        message: expect.stringContaining('100 bytes') as string,
      });
    }
  });
});

describe('the ssh of a backup host', () => {
  it('sends no command, and takes no option for a host or a user', () => {
    const args = forcedCommandOf({ user: 'guestflow-pull', host: 'xen1.example.net', port: 2222, identity: '/k', knownHosts: '/h' });
    expect(args.slice(args.indexOf('--'))).toEqual(['--', 'guestflow-pull@xen1.example.net']);
    expect(args.join(' ')).toContain('StrictHostKeyChecking=yes');
    for (const host of ['-oProxyCommand=id', '', 'a b', 'XEN1', '::1%eth0', 'a@b', 'a/b'])
      expect(() => forcedCommandOf({ user: 'root', host })).toThrow(expect.objectContaining({ type: 'InvalidInput' }));
    for (const user of ['-l', '', 'a b', 'Root', 'a@b'])
      expect(() => forcedCommandOf({ user, host: '::1' })).toThrow(expect.objectContaining({ type: 'InvalidInput' }));
  });
});

describe('the room of a dom0 on a backup host', () => {
  const GiB = 2 ** 30;

  it('is bounded in bytes of one backup, of all, of what stays free, and of records, which are read into memory', async () => {
    const why = async (limits: Partial<Limits>): Promise<string | undefined> =>
      (await Room.of(directory, { one: GiB, reserve: 0, ...limits })).whyNot(4096);
    expect(await why({})).toBeUndefined();
    expect(await why({ one: 4095 })).toContain('--max-backup-bytes');
    expect(await why({ total: 4096 })).toContain('--max-bytes');
    expect(await why({ reserve: 2 ** 60 })).toContain('--reserve');
    truncateSync(join(directory, 'web1', `${ID}.json`), GiB);
    expect(await why({})).toContain('far more than records have');
  });
});

describe('what a dom0 makes in its directory of backups', () => {
  const modeOf = (path: string): number => statSync(join(directory, path)).mode & 0o777;

  it.each([
    { of: 0o2750, place: 0o750, file: 0o640 },
    { of: 0o750, place: 0o700, file: 0o600 },
    { of: 0o2700, place: 0o700, file: 0o600 },
  ])('can be read by the group of that directory only if it has the set-group-id bit: $of', async ({ of, place, file }) => {
    chmodSync(directory, of);
    const host = { files: createHostFiles(directory), pipeline: () => Promise.resolve({ stages: [] }) };
    const work = { host, settings: { backupDir: '/' } } as unknown as Work;
    const repository = new DirectoryRepository(work);
    await repository.open({ name: 'db1', order: 'o' });
    const container = repository.container(repository.keptAs('db1', ID, 'blocks'));
    await container.pack({ stages: [{ tool: 'dumpe2fs', args: [] }] });
    await container.commit();
    await repository.record(storedBackup('db1', ID));
    await repository.prove(storedBackup('db1', ID), { at: '2026-11-02T02:00:00.000Z', seconds: 1, outcome: 'proven', what: '' });
    await repository.protect(storedBackup('db1', ID), true);
    expect([modeOf('db1'), modeOf('db1/guestflow.json')]).toEqual([place, 0o600]);
    for (const name of ['img.zst', 'json', 'proof.json', 'protected.json'])
      expect([name, modeOf(`db1/${ID}.${name}`)]).toEqual([name, file]);
  });
});
