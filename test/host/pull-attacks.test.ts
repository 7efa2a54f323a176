/** A dom0 that somebody has broken into, and a backup host that pulls from it: nothing of the past changes. */
import { createHash, randomBytes } from 'node:crypto';
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { answerLine } from '../../activities/dom0/backup/remote/protocol.ts';
import { pull as pullBackups, type Pulling } from '../../activities/dom0/backup/remote/pull.ts';
import { recordText, sumOf } from '../../activities/dom0/backup/record.ts';
import type { Proof, StoredBackup } from '../../contract/backup.ts';
import { storedBackup } from '../a-backup.ts';
import { errorOf, run } from '../unit/cli/run.ts';
import { host, titled, whyNotHere } from './machine.ts';
import { arrivalOf, idOf, put, rig, sums, type Pulled, type Rig } from './pull-rig.ts';

const why = whyNotHere('sshd', 'ssh', 'ssh-keygen', 'ssh-keyscan', 'unshare', 'mount');
const PAST = [idOf(12), idOf(11), idOf(10)];
const NEW = idOf(1);
const RETENTION = ['--retention', 'daily=4,weekly=2'];

/** A backup host that has something to lose: three nights, each of which came on its day. */
interface Victim extends Rig {
  /** What lies there, with sums. */
  readonly past: Record<string, string>;
  /** What the dom0 answers from now on. */
  readonly answer: (list: string | Uint8Array, send?: string | Uint8Array, after?: string) => void;
}

async function victim(): Promise<Victim> {
  const rigged = await rig();
  const { sshd, repository, into, pull } = rigged;
  for (const id of PAST) put(repository, 'web1', id, randomBytes(5_000));
  await pull();
  PAST.forEach((id, index) => writeFileSync(join(into, 'xen1', 'web1', `${id}.arrival.json`), arrivalOf(12 - index)));
  const past = sums(into);
  return {
    ...rigged,
    past,
    answer(list, send = '', after = '') {
      for (const [name, text] of Object.entries({ list, send })) {
        writeFileSync(join(sshd.directory, name), text);
        chmodSync(join(sshd.directory, name), 0o644);
      }
      sshd.serve(`read -r what rest; cat ${sshd.directory}/$what; ${after}`);
    },
  };
}

/** A record of these bytes. */
function backupOf(id: string, content: Uint8Array, more: Partial<StoredBackup> = {}): StoredBackup {
  const sha256 = createHash('sha256').update(content).digest('hex');
  return { ...storedBackup('web1', id), bytes: content.byteLength, sha256, ...more };
}

function timeOf(id: string): string {
  return id.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6.000Z');
}

const END = answerLine({ is: 'end' });

function offer(backup: StoredBackup, more: { readonly proof?: Proof; readonly isProtected?: true } = {}): string {
  return answerLine({ is: 'record', guest: backup.guest, id: backup.id, recordSha256: sumOf(backup), bytes: backup.bytes, ...more });
}

function sent(backup: StoredBackup, content: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from(answerLine({ is: 'backup', record: recordText(backup) })), content]);
}

/** What it came to, as a problem of one backup or an error of the whole pull. The past is as it was. */
async function attacked({ sshd, into, past }: Victim, ...argv: string[]): Promise<{ code: number; told: string; taken: Pulled['taken'] }> {
  const { code, stdout, stderr } = await run(['pull-backups', ...sshd.flags, '--into', into, ...RETENTION, '--json', ...argv]);
  expect(sums(into)).toMatchObject(past);
  if (stdout === '') return { code, told: errorOf({ code, stdout, stderr, output: Buffer.alloc(0) }).message, taken: [] };
  const pulled = JSON.parse(stdout) as Pulled;
  expect(pulled.removed).toEqual([]);
  return { code, told: pulled.problems.map(({ of, reason }) => `${of}: ${reason}`).join('\n'), taken: pulled.taken };
}

/** What is there beside the past. */
function added({ into, past }: Victim): string[] {
  return Object.keys(sums(into)).filter((name) => !(name in past));
}

describe.skipIf(why !== undefined)(titled('a dom0 that lies', why), () => {
  it('deletes nothing by having nothing', async () => {
    const rigged = await victim();
    rigged.answer(END);
    expect(await attacked(rigged)).toMatchObject({ code: 0, told: '' });
  });

  it('overwrites nothing by offering other content under a name that is there', async () => {
    const rigged = await victim();
    const content = randomBytes(100);
    const other = backupOf(PAST[1]!, content);
    rigged.answer(offer(other) + END, sent(other, content));
    expect(await attacked(rigged)).toMatchObject({ code: 1, told: expect.stringContaining('another backup of this name') as string });
    expect(added(rigged)).toEqual([]);
  });

  it('brings nothing in by a name that leads elsewhere, or that is none', async () => {
    const rigged = await victim();
    const good = offer(backupOf(NEW, randomBytes(1)));
    const names = [
      ['"web1"', '"../web1"', '"/etc"', '".."', '"web1/../db1"', '""', '"web1\\u0000"', '".guestflow"', '{"a":1}', 'null'],
      [`"${NEW}"`, '"../../../etc/cron.d/x"', `"${NEW}/x"`, `"${NEW}.json"`, `"${NEW}\\n"`, '""'],
    ];
    for (const [name, ...others] of names)
      for (const other of others) {
        rigged.answer(good.replace(name ?? '', other) + END);
        expect(await attacked(rigged)).toMatchObject({ code: 1, told: expect.stringContaining('not to be believed') as string });
      }
    expect(added(rigged)).toEqual([]);
  }, 240_000);

  it('is not believed when its record is not the one that it has listed, or does not fit itself', async () => {
    const rigged = await victim();
    const content = randomBytes(1_000);
    const good = backupOf(NEW, content);
    const text = recordText(good);
    const head = (record: string): Buffer => Buffer.concat([Buffer.from(answerLine({ is: 'backup', record })), content]);
    const lies: [string, Uint8Array, RegExp][] = [
      [offer(good), head(text.replace('"crash"', '"crasH"')), /byte for byte/],
      [offer(good), sent({ ...good, guest: 'db1' }, content), /is of backup/],
      [offer(good), sent({ ...good, dom0: 'xen9' }, content), /another than it has listed/],
      [offer(good), sent({ ...good, bytes: 999 }, content), /another than it has listed/],
      [
        offer({ ...good, takenAt: '2020-01-01T00:00:00.000Z' }),
        sent({ ...good, takenAt: '2020-01-01T00:00:00.000Z' }, content),
        /was taken at/,
      ],
      [offer({ ...good, keptBy: 'borg' }), sent({ ...good, keptBy: 'borg' }, content), /no file of its own/],
      [offer({ ...good, arrivedAt: '2020' } as StoredBackup), sent({ ...good, arrivedAt: '2020' } as StoredBackup, content), /arrivedAt/],
      [offer(good), Buffer.from('Welcome to xen1\n'), /it said "Welcome/],
      [offer(good), Buffer.from(offer(good)), /where a backup was asked for/],
      [offer(good), Buffer.alloc(0), /ended before it began/],
    ];
    for (const [list, send, told] of lies) {
      rigged.answer(list + END, send);
      expect(await attacked(rigged)).toMatchObject({ code: 1, told: expect.stringMatching(told) as string });
    }
    expect(added(rigged).filter((name) => !name.endsWith('part'))).toEqual([]);
  }, 120_000);

  it('is found out by one flipped byte of what comes', async () => {
    const rigged = await victim();
    const content = randomBytes(100_000);
    const good = backupOf(NEW, content);
    for (const at of [0, 50_000, 99_999]) {
      const flipped = Buffer.from(content);
      flipped[at]! ^= 1;
      rigged.answer(offer(good) + END, sent(good, flipped));
      expect(await attacked(rigged)).toMatchObject({ code: 1, told: expect.stringContaining('another SHA-256') as string });
      expect(added(rigged)).toEqual([]);
    }
    rigged.answer(offer(good) + END, sent(good, content));
    expect(await attacked(rigged)).toMatchObject({ code: 0, taken: [{ id: NEW }] });
  });

  it('prunes nothing by any number of new backups, whatever time, state or protection it claims for them', async () => {
    const rigged = await victim();
    const content = randomBytes(10);
    const claims: Partial<StoredBackup>[] = [{}, { state: 'proven' }, { state: 'taken' }, { isProtected: true }];
    for (const [hour, claim] of claims.entries()) {
      // One of each day since: by the times of the dom0 nothing that came before would be among the last four days.
      const more = [9, 8, 7, 6, 5].map((day) => {
        const id = idOf(day).replace('T02', `T0${hour + 3}`);
        return backupOf(id, content, { ...claim, takenAt: timeOf(id) });
      });
      for (const backup of more) writeFileSync(join(rigged.sshd.directory, backup.id), sent(backup, content));
      rigged.answer(more.map((backup) => offer(backup)).join('') + END);
      const of = rigged.sshd.directory;
      rigged.sshd.serve(`read -r what guest id at; case $what in list) cat ${of}/list;; *) cat ${of}/$id;; esac`);
      const { stdout } = await run(['pull-backups', ...rigged.sshd.flags, '--into', rigged.into, ...RETENTION, '--json']);
      const { taken, removed } = JSON.parse(stdout) as Pulled;
      expect(taken).toHaveLength(5);
      // Of what came today, some goes; of what came before, nothing.
      if (hour === 0) expect(removed).toHaveLength(4);
      expect(removed.filter(({ id }) => PAST.includes(id))).toEqual([]);
      expect(sums(rigged.into)).toMatchObject(rigged.past);
    }
  }, 240_000);

  it('makes nothing of the past unproven, unprotected or removable by what it says of proofs, and protects no more than it may', async () => {
    const rigged = await victim();
    const copy = join(rigged.into, 'xen1', 'web1');
    const content = randomBytes(10);
    const past = PAST.map((id) => JSON.parse(readFileSync(join(copy, `${id}.json`), 'utf8')) as StoredBackup & { recordSha256: string });
    const known = past.map(({ recordSha256: _sum, ...backup }) => backup);
    const proof = (outcome: Proof['outcome']): Proof => ({ at: '2026-11-28T00:00:00.000Z', seconds: 1, outcome, what: '\u001b[2J' });
    rigged.answer(known.map((backup) => offer(backup, { proof: proof('proven') })).join('') + END);
    expect(await attacked(rigged)).toMatchObject({ code: 0, taken: [] });
    const proven = sums(rigged.into);
    expect(Object.keys(proven).filter((name) => name.includes('.proof.'))).toHaveLength(3);
    const more = Array.from({ length: 12 }, (_, index) => NEW.replace('T02', `T${String(index + 10)}`)).map((id) =>
      backupOf(id, content, { takenAt: timeOf(id) }),
    );
    for (const backup of more) writeFileSync(join(rigged.sshd.directory, backup.id), sent(backup, content));
    const lies = known.map((backup) => offer(backup, { proof: proof('unusable') })).join('');
    rigged.answer(lies + more.map((backup) => offer(backup, { proof: proof('proven'), isProtected: true })).join('') + END);
    const of = rigged.sshd.directory;
    rigged.sshd.serve(`read -r what guest id at; case $what in list) cat ${of}/list;; *) cat ${of}/$id;; esac`);
    const { code, stdout } = await run(['pull-backups', ...rigged.sshd.flags, '--into', rigged.into, ...RETENTION, '--json']);
    const { removed, problems } = JSON.parse(stdout) as Pulled;
    expect({ code, told: problems.map(({ reason }) => reason) }).toEqual({
      code: 1,
      told: more.slice(10).map(() => 'the dom0 protects it, and 10 of its guest are protected here already: it is not'),
    });
    expect(removed.filter(({ id }) => PAST.includes(id))).toEqual([]);
    expect(sums(rigged.into)).toMatchObject(proven);
  }, 120_000);

  it('makes no backup of the future, which would be the newest for ever, and none of no time', async () => {
    const rigged = await victim();
    for (const id of [idOf(-2), '99990101T020000Z', '20261399T020000Z', '99999999T999999Z']) {
      rigged.answer(offer(backupOf(id, randomBytes(1))) + END);
      expect(await attacked(rigged)).toMatchObject({ code: 1, told: expect.stringContaining('future') as string });
    }
    expect(added(rigged)).toEqual([]);
  });

  it('fills no more than it may: of one backup, of all, of the disk', async () => {
    const rigged = await victim();
    const content = randomBytes(2 * 2 ** 20);
    const good = backupOf(NEW, content);
    rigged.answer(offer(good) + END, sent(good, content));
    expect(await attacked(rigged, '--max-backup-bytes', '1MiB')).toMatchObject({
      code: 1,
      told: expect.stringContaining('--max-backup-bytes') as string,
    });
    expect(await attacked(rigged, '--max-bytes', '2MiB')).toMatchObject({
      code: 1,
      told: expect.stringContaining('--max-bytes') as string,
    });
    expect(await attacked(rigged, '--reserve', '100000GiB')).toMatchObject({
      code: 1,
      told: expect.stringContaining('--reserve') as string,
    });
    const huge = { ...good, bytes: Number.MAX_SAFE_INTEGER };
    rigged.answer(offer(huge) + END, sent(huge, content));
    expect(await attacked(rigged)).toMatchObject({ code: 1 });
    // It says little, and sends without an end.
    rigged.answer(offer(good) + END, sent(good, content), '[ $what = list ] || cat /dev/zero');
    expect(await attacked(rigged)).toMatchObject({ code: 1, told: expect.stringContaining('sent more than') as string });
    expect(added(rigged).filter((name) => !name.endsWith('part'))).toEqual([]);
  }, 120_000);

  it('leaves no trace of guests of which nothing came', async () => {
    const rigged = await victim();
    const good = offer(backupOf(NEW, randomBytes(1)));
    rigged.answer(['a1', 'a2', 'a3', 'a4'].map((name) => good.replace('"web1"', `"${name}"`)).join('') + END);
    expect(await attacked(rigged)).toMatchObject({ code: 1, told: expect.stringContaining('ended before it began') as string });
    rigged.answer(END);
    expect(await attacked(rigged)).toMatchObject({ code: 0 });
    expect(readdirSync(join(rigged.into, 'xen1'))).toEqual(['web1']);
  });

  it('lists no more than it may, in lines that are no longer than they may be', async () => {
    const rigged = await victim();
    const endless: [string, RegExp][] = [
      ['cat /dev/zero', /a line of it has more/],
      [`yes '${offer(backupOf(NEW, randomBytes(1))).trim()}'`, /twice/],
      [`yes '${answerLine({ is: 'problem', of: 'x', reason: 'y' }).trim()}'`, /more than 20000/],
      [`yes '${END.trim()}'`, /went on after its end/],
      ['true', /ended before its end/],
      [`printf '{"is":"refused","reason":"\\\\u001b[2Jno"}\\n'`, /refuses: no/],
    ];
    for (const [command, told] of endless) {
      rigged.answer('', '', command);
      const { code, told: said } = await attacked(rigged);
      expect(said).toMatch(told);
      expect(code).toBe(1);
    }
    // Its words on standard error are bounded, too.
    rigged.answer('', '', 'cat /dev/zero >&2');
    expect(await attacked(rigged)).toMatchObject({ code: 1 });
  }, 120_000);

  it('that sends nothing, or hardly anything, is left alone', async () => {
    const rigged = await victim();
    const { sshd, into, past } = rigged;
    const flag = (name: string): string => sshd.flags[sshd.flags.indexOf(name) + 1] ?? '';
    const pulling: Pulling = {
      remote: {
        ...{ user: 'guestflow-pull', host: '127.0.0.1', port: Number(flag('--port')) },
        ...{ identity: flag('--identity'), knownHosts: flag('--known-hosts') },
      },
      ...{ root: join(into, 'xen1'), limits: { one: 2 ** 30 }, isDryRun: false, doesVerify: false, retain: () => [], windowMs: 1_500 },
    };
    const work = { host, signal: new AbortController().signal, progress: () => undefined };
    rigged.answer('', '', 'sleep 60');
    await expect(pullBackups(work, pulling)).rejects.toMatchObject({
      type: 'Unreachable',
      message: expect.stringContaining('sent less than') as string,
    });
    const good = backupOf(NEW, randomBytes(100_000));
    rigged.answer(offer(good) + END, sent(good, Buffer.alloc(0)), '[ $what = list ] || while sleep 0.1; do echo; done');
    const { problems } = await pullBackups(work, pulling);
    expect(problems).toEqual([{ of: `web1/${NEW}`, reason: expect.stringContaining('sent less than') as string }]);
    expect(sums(into)).toMatchObject(past);
  }, 60_000);

  it('gets no command onto the backup host', async () => {
    const rigged = await victim();
    const mark = join(mkdtempSync(join(tmpdir(), 'guestflow-mark-')), 'was-here');
    rigged.answer(answerLine({ is: 'problem', of: `$(touch ${mark})`, reason: `;touch ${mark};\n\u001b]0;x\u0007` }) + END);
    const { code, stderr } = await run(['pull-backups', ...rigged.sshd.flags, '--into', rigged.into]);
    expect({ code, isMarked: existsSync(mark) }).toEqual({ code: 1, isMarked: false });
    expect(stderr).not.toMatch(/\u001b|\u0007/);
    rmSync(join(mark, '..'), { recursive: true });
    expect(readdirSync(join(rigged.into, 'xen1'))).toEqual(['web1']);
  });
});
