/** A backup host pulls from a dom0 through a real sshd. */
import { createHash, randomBytes } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { FoundGuest } from '../../activities/dom0/backup/repositories/reading.ts';
import { startServer, stopServer, type ServerProcess } from '../../system/run-server.ts';
import { until } from '../../system/until.ts';
import { errorOf, run } from '../unit/cli/run.ts';
import { usedBlocks } from './a-repository.ts';
import { corpus, grow } from './backup-corpus.ts';
import { host, scratch, titled, whyNotHere } from './machine.ts';
import { NODE, type Sshd } from './an-sshd.ts';
import { arrivalOf, idOf, put, putProof, rig, sums, type Rig } from './pull-rig.ts';

const why = whyNotHere('sshd', 'ssh', 'ssh-keygen', 'ssh-keyscan', 'unshare', 'mount', 'zstd', 'e2image');
const [FIRST, SECOND, THIRD] = [idOf(20), idOf(19), idOf(18)];
const MiB = 2 ** 20;

/** The sshd of a rig, as the dom0 that it is. */
function ssh({ sshd }: Rig, ...command: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const port = sshd.flags[sshd.flags.indexOf('--port') + 1] ?? '';
  const options = ['-F', '/dev/null', '-i', join(sshd.directory, 'key'), '-o', `UserKnownHostsFile=${join(sshd.directory, 'known_hosts')}`];
  return host.run('ssh', [...options, '-p', port, '--', 'guestflow-pull@127.0.0.1', ...command], {
    input: 'list\n',
    okCodes: [0, 1, 2, 3, 255],
  });
}

/** A pull in a process of its own, by the package's program. */
function startPull({ directory, flags }: Sshd, into: string): Promise<ServerProcess> {
  return startServer({
    command: NODE,
    args: [join(directory, 'prepare.cjs'), 'pull-backups', ...flags, '--into', into],
    logFile: join(directory, 'pull.log'),
    endsWithUs: true,
  });
}

describe.skipIf(why !== undefined)(titled('guestflow pull-backups', why), () => {
  it('takes what it lacks, through a user that is not root, and backups --repository reads the copy', async () => {
    const { repository, into, pull } = await rig();
    const content = randomBytes(3 * MiB);
    put(repository, 'web1', FIRST, content);
    put(repository, 'db1', SECOND, Buffer.alloc(0));
    const before = Date.now();
    expect(await pull()).toMatchObject({
      code: 0,
      taken: [
        { guest: 'db1', id: SECOND, bytes: 0 },
        { guest: 'web1', id: FIRST, bytes: 3 * MiB },
      ],
      problems: [],
    });
    const copy = join(into, 'xen1');
    expect(readFileSync(join(copy, 'web1', `${FIRST}.img.zst`)).equals(content)).toBe(true);
    expect(readFileSync(join(copy, 'web1', `${FIRST}.json`), 'utf8')).toBe(readFileSync(join(repository, 'web1', `${FIRST}.json`), 'utf8'));
    for (const name of readdirSync(join(copy, 'web1'))) expect(statSync(join(copy, 'web1', name)).mode & 0o777).toBe(0o600);
    const listed = JSON.parse((await run(['backups', '--repository', copy, '--json'])).stdout) as {
      guests: { name: string; backups: { arrivedAt: string }[] }[];
    };
    expect(listed.guests.map(({ name }) => name)).toEqual(['db1', 'web1']);
    expect(Date.parse(listed.guests[1]!.backups[0]!.arrivedAt)).toBeGreaterThanOrEqual(before);

    put(repository, 'web1', THIRD, randomBytes(10));
    rmSync(join(repository, 'db1'), { recursive: true });
    const there = sums(copy);
    expect(await pull()).toMatchObject({ code: 0, taken: [{ id: THIRD }], present: 1 });
    expect(sums(copy)).toMatchObject(there);
  });

  it('tells what the dom0 says of proofs, and keeps from retention what that protects, whatever it says of either later', async () => {
    const { repository, into, pull } = await rig();
    const ids = [idOf(9), idOf(8), idOf(7), idOf(6)];
    for (const id of ids) put(repository, 'web1', id, randomBytes(10));
    await pull();
    const copy = join(into, 'xen1', 'web1');
    ids.forEach((id, index) => writeFileSync(join(copy, `${id}.arrival.json`), arrivalOf(9 - index)));
    const listed = async (): Promise<{ id: string; state: string; isProtected?: true; proof?: { outcome: string; what: string } }[]> =>
      (
        JSON.parse((await run(['backups', '--repository', join(into, 'xen1'), '--json'])).stdout) as { guests: FoundGuest[] }
      ).guests[0]!.backups.slice();
    const [first = '', second = '', third = '', last = ''] = ids;
    putProof(repository, 'web1', first, 'silent');
    putProof(repository, 'web1', third, 'proven');
    writeFileSync(join(repository, 'web1', `${second}.protected.json`), '', { mode: 0o640 });
    expect(await pull()).toMatchObject({ code: 0, present: 4, taken: [] });
    expect(await listed()).toMatchObject([
      { id: first, state: 'verified', proof: { outcome: 'silent' } },
      { id: second, isProtected: true },
      { id: third, state: 'proven', proof: { outcome: 'proven', what: 'web1 login:' } },
      { id: last, state: 'verified' },
    ]);
    for (const name of readdirSync(copy)) expect(statSync(join(copy, name)).mode & 0o777).toBe(0o600);
    // A dom0 that somebody has broken into by now.
    putProof(repository, 'web1', first, 'proven', 'it is proven after all');
    putProof(repository, 'web1', third, 'unusable', 'a lie');
    rmSync(join(repository, 'web1', `${second}.protected.json`));
    expect(await pull('--retention', 'daily=1')).toMatchObject({ code: 0, removed: [{ id: first }, { id: third }] });
    expect(await listed()).toMatchObject([{ id: second, isProtected: true }, { id: last }]);
    expect(readdirSync(copy).filter((name) => name.includes('.proof.'))).toEqual([]);
  });

  it('brings a guest back from the copy, byte for byte', async () => {
    const { sshd, repository, into, pull } = await rig();
    const image = await usedBlocks(sshd.directory, await grow(sshd.directory, corpus(1)[0]!));
    const chunks: Uint8Array[] = [];
    await host.pipeline([{ tool: 'zstd', args: ['-q', '-c', '--', image] }], { sink: (chunk) => void chunks.push(chunk) });
    put(repository, 'web1', FIRST, Buffer.concat(chunks), { dumpedBytes: statSync(image).size });
    expect(await pull()).toMatchObject({ code: 0, taken: [{ guest: 'web1', id: FIRST }] });
    const to = join(scratch(), 'restored.img');
    const { code, stderr } = await run(['restore', 'web1', '--repository', join(into, 'xen1'), '--to', to, '--json']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(readFileSync(to).equals(readFileSync(image))).toBe(true);
  });

  it('goes on where it was killed, and lists nothing half', async () => {
    const { sshd, repository, into, pull } = await rig();
    const content = randomBytes(8 * MiB);
    put(repository, 'web1', FIRST, content);
    // The dom0 stops in the middle of a backup.
    const serve = `${sshd.program} serve-backups --repository ${repository}`;
    sshd.serve(`read -r line; echo $line | ${serve} | case $line in list) cat;; *) head -c 5000000; sleep 30;; esac`);
    const part = join(into, 'xen1', 'web1', `${FIRST}.guestflow-part`);
    const killed = await startPull(sshd, into);
    expect(await until(() => existsSync(part) && statSync(part).size > 4 * MiB, { everyMs: 20, limitMs: 30_000 })).toBe(true);
    process.kill(killed.pid, 'SIGKILL');
    await stopServer(killed);
    const came = statSync(part).size;
    const { stdout } = await run(['backups', '--repository', join(into, 'xen1')]);
    expect(stdout).toContain('no backups');

    sshd.serve(serve);
    // A write that was under way when it was killed may have come to its end since.
    const resumedFrom = expect.toSatisfy((from: number) => from >= came) as number;
    expect(await pull()).toMatchObject({ code: 0, taken: [{ id: FIRST, bytes: 8 * MiB, resumedFrom }] });
    expect(readFileSync(join(into, 'xen1', 'web1', `${FIRST}.img.zst`)).equals(content)).toBe(true);
    expect(existsSync(part)).toBe(false);
  });

  it('goes on where it was interrupted, and says so', async () => {
    const { sshd, repository, into, pull } = await rig();
    put(repository, 'web1', FIRST, randomBytes(8 * MiB));
    const serve = `${sshd.program} serve-backups --repository ${repository}`;
    sshd.serve(`read -r line; echo $line | ${serve} | case $line in list) cat;; *) head -c 5000000; sleep 30;; esac`);
    const part = join(into, 'xen1', 'web1', `${FIRST}.guestflow-part`);
    const interrupt = new AbortController();
    const interrupted = run(['pull-backups', ...sshd.flags, '--into', into], { interrupt: interrupt.signal });
    expect(await until(() => existsSync(part) && statSync(part).size > 4 * MiB, { everyMs: 20, limitMs: 30_000 })).toBe(true);
    interrupt.abort();
    expect(await interrupted).toMatchObject({ code: 130, stderr: expect.stringContaining('the next pull goes on from there') as string });
    const came = statSync(part).size;
    sshd.serve(serve);
    expect(await pull()).toMatchObject({ code: 0, taken: [{ id: FIRST, bytes: 8 * MiB, resumedFrom: came }] });
  });

  it('may be killed at any time: what is listed then is whole, and in the end all is there', async () => {
    const { sshd, repository, into, pull } = await rig();
    for (const id of [FIRST, SECOND, THIRD]) for (const guest of ['db1', 'web1']) put(repository, guest, id, randomBytes(2 * MiB));
    for (let round = 0; round < 8; round += 1) {
      const killed = await startPull(sshd, into);
      await sleep(300 + Math.random() * 2_000);
      try {
        process.kill(killed.pid, 'SIGKILL');
      } catch (error) {
        // On a quick machine it has come to its end by then.
        expect(error).toMatchObject({ code: 'ESRCH' });
      }
      await stopServer(killed);
      if (!existsSync(join(into, 'xen1'))) continue;
      const { stdout } = await run(['backups', '--repository', join(into, 'xen1'), '--json']);
      for (const { backups, damaged } of (JSON.parse(stdout) as { guests: FoundGuest[] }).guests) {
        expect(damaged).toEqual([]);
        for (const { path, sha256 } of backups) expect(createHash('sha256').update(readFileSync(path)).digest('hex')).toBe(sha256);
      }
    }
    expect(await pull('--verify')).toMatchObject({ code: 0, problems: [] });
    const originals = Object.entries(sums(repository)).filter(([name]) => !name.endsWith('guestflow.json'));
    expect(sums(join(into, 'xen1'))).toMatchObject(Object.fromEntries(originals));
    expect(Object.keys(sums(into)).filter((name) => name.includes('part'))).toEqual([]);
  });

  it('starts anew if what is there is not its beginning, and asks for nothing if it is all of it', async () => {
    const { repository, into, pull } = await rig();
    const [one, two] = [randomBytes(MiB), randomBytes(MiB)];
    put(repository, 'web1', FIRST, one);
    put(repository, 'web1', SECOND, two);
    mkdirSync(join(into, 'xen1', 'web1'), { recursive: true });
    const place = join(into, 'xen1', 'web1');
    writeFileSync(join(place, `${FIRST}.guestflow-part`), randomBytes(1000));
    // As a kill leaves it between the last two renames.
    writeFileSync(join(place, `${SECOND}.img.zst`), two);
    writeFileSync(join(place, `${THIRD}.guestflow-part`), 'of a backup that the dom0 has no more');
    const { code, taken } = await pull();
    expect({ code, taken }).toEqual({
      code: 0,
      taken: [
        { guest: 'web1', id: FIRST, bytes: MiB },
        { guest: 'web1', id: SECOND, bytes: MiB, resumedFrom: MiB },
      ],
    });
    expect(readFileSync(join(place, `${FIRST}.img.zst`)).equals(one)).toBe(true);
    expect(readdirSync(place).filter((name) => name.includes('part'))).toEqual([]);
  });

  it('changes nothing with --dry-run', async () => {
    const { repository, into, pull } = await rig();
    put(repository, 'web1', FIRST, randomBytes(10));
    expect(await pull('--dry-run')).toMatchObject({ code: 0, taken: [{ guest: 'web1', id: FIRST, bytes: 10 }] });
    expect(readdirSync(into)).toEqual([]);
  });

  it('keeps what --retention says by the day on which it came, and does not take again what it has removed', async () => {
    const { repository, into, pull } = await rig();
    for (const id of [FIRST, SECOND, THIRD]) put(repository, 'web1', id, randomBytes(10));
    put(repository, 'db1', FIRST, randomBytes(10));
    await pull();
    // The second and the third came on one day.
    for (const [guest, id, days] of [
      ['web1', FIRST, 10] as const,
      ['web1', SECOND, 9] as const,
      ['web1', THIRD, 9] as const,
      ['db1', FIRST, 900] as const,
    ])
      writeFileSync(join(into, 'xen1', guest, `${id}.arrival.json`), arrivalOf(days));
    expect(await pull('--retention', 'daily=2', '--dry-run')).toMatchObject({ removed: [{ id: SECOND }] });
    expect(await pull('--retention', 'daily=2')).toMatchObject({ code: 0, removed: [{ guest: 'web1', id: SECOND }], taken: [] });
    const place = join(into, 'xen1', 'web1');
    expect(readdirSync(place).sort()).toEqual(
      [
        ...[`${FIRST}.arrival.json`, `${FIRST}.img.zst`, `${FIRST}.json`, `${SECOND}.arrival.json`],
        ...[`${THIRD}.arrival.json`, `${THIRD}.img.zst`, `${THIRD}.json`],
      ].sort(),
    );
    expect(await pull('--retention', 'daily=2')).toMatchObject({ code: 0, removed: [], taken: [], present: 3 });
    // Our clock was wrong, or is: nobody knows what is older.
    writeFileSync(join(into, 'xen1', 'web1', `${FIRST}.arrival.json`), arrivalOf(-5));
    expect(await pull('--retention', 'daily=1')).toMatchObject({ code: 1, removed: [], problems: [{ of: 'web1' }] });
    writeFileSync(join(into, 'xen1', 'web1', `${FIRST}.arrival.json`), arrivalOf(10));
    // The dom0 has removed it, too: it need not be remembered.
    for (const name of readdirSync(join(repository, 'web1')).filter((each) => each.startsWith(SECOND)))
      rmSync(join(repository, 'web1', name));
    await pull('--retention', 'daily=2');
    expect(readdirSync(place).filter((name) => name.startsWith(SECOND))).toEqual([]);
  });

  it('finishes a removal that was killed, and never removes what did not come by it', async () => {
    const { repository, into, pull } = await rig();
    for (const id of [FIRST, SECOND, THIRD]) put(repository, 'web1', id, randomBytes(10));
    await pull();
    const arrival = (id: string): string => join(into, 'xen1', 'web1', `${id}.arrival.json`);
    writeFileSync(arrival(FIRST), arrivalOf(9).replace('}', ',"removedAt":"2026-11-12T06:00:00.000Z"}'));
    rmSync(arrival(SECOND));
    expect(await pull('--retention', 'yearly=1')).toMatchObject({ code: 0, removed: [{ id: FIRST }], present: 3 });
    expect(Object.keys(sums(join(into, 'xen1'))).filter((name) => name.endsWith('.img.zst'))).toHaveLength(2);
  });

  it('finds one changed byte of a backup or a record that is here, leaves it, and takes it again when it was moved away', async () => {
    const { repository, into, pull } = await rig();
    put(repository, 'web1', FIRST, randomBytes(MiB));
    put(repository, 'web1', SECOND, randomBytes(MiB));
    await pull();
    const [file, record] = [join(into, 'xen1', 'web1', `${FIRST}.img.zst`), join(into, 'xen1', 'web1', `${SECOND}.json`)];
    const content = readFileSync(file);
    content[MiB - 1]! ^= 1;
    writeFileSync(file, content);
    writeFileSync(record, readFileSync(record, 'utf8').replace('"crash"', '"crasH"'));
    const there = sums(into);
    const found = await pull('--verify');
    expect(found).toMatchObject({ code: 1, taken: [] });
    expect(found.problems.map(({ of }) => of).sort()).toEqual([`web1/${FIRST}`, `web1/${SECOND}`]);
    expect(sums(into)).toEqual(there);
    for (const name of readdirSync(join(into, 'xen1', 'web1'))) renameSync(join(into, 'xen1', 'web1', name), join(into, name));
    expect(await pull('--verify')).toMatchObject({ code: 0, taken: [{ id: FIRST }, { id: SECOND }], problems: [] });
  });

  it('tells what the dom0 cannot offer: a damaged record, a place that its user may not read', async () => {
    const { repository, pull } = await rig();
    put(repository, 'web1', FIRST, randomBytes(10));
    put(repository, 'web1', SECOND, randomBytes(10));
    put(repository, 'db1', FIRST, randomBytes(10));
    writeFileSync(join(repository, 'web1', `${SECOND}.json`), '{}');
    chmodSync(join(repository, 'db1'), 0o700);
    const { code, taken, problems } = await pull();
    expect({ code, taken: taken.length }).toEqual({ code: 1, taken: 1 });
    expect(problems).toEqual([
      { of: 'on the dom0: db1', reason: expect.stringContaining('permission denied') as string },
      { of: `on the dom0: web1/${SECOND}.json`, reason: expect.stringContaining('byte for byte') as string },
    ]);
  });

  it('refuses a host key that it was not told of, a key that the dom0 does not know, and a second pull into the same directory', async () => {
    const rigged = await rig();
    const { sshd, repository, into } = rigged;
    put(repository, 'web1', FIRST, randomBytes(10));
    const failed = async (flags: readonly string[]) => {
      const ended = await run(['pull-backups', ...flags, '--into', into, '--json']);
      return { code: ended.code, ...errorOf(ended) };
    };
    const known = readFileSync(join(sshd.directory, 'known_hosts'), 'utf8');
    writeFileSync(
      join(sshd.directory, 'known_hosts'),
      known.replace(/ssh-ed25519 .*/, readFileSync(join(sshd.directory, 'key.pub'), 'utf8')),
    );
    expect(await failed(sshd.flags)).toMatchObject({ code: 5, type: 'Unreachable', mend: expect.stringContaining('host key') as string });
    writeFileSync(join(sshd.directory, 'known_hosts'), known);
    const other = sshd.flags.map((flag) => (flag === join(sshd.directory, 'key') ? join(sshd.directory, 'host') : flag));
    expect(await failed(other)).toMatchObject({ code: 5, type: 'Unreachable', mend: expect.stringContaining('authorized_keys') as string });

    const signs = join(sshd.directory, 'signs');
    mkdirSync(signs);
    chmodSync(signs, 0o777);
    sshd.serve(`: > ${signs}/asked; while [ ! -e ${signs}/answer ]; do sleep 0.05; done`);
    const slow = run(['pull-backups', ...sshd.flags, '--into', into, '--json']);
    await until(() => existsSync(join(signs, 'asked')), { everyMs: 10 });
    expect(await failed(sshd.flags)).toMatchObject({ code: 3, type: 'Busy' });
    writeFileSync(join(signs, 'answer'), '');
    expect((await slow).code).toBe(1);
  });
});

describe.skipIf(why !== undefined)(titled('the key of a backup host', why), () => {
  it('opens nothing but the two answers, whatever command is asked for', async () => {
    const rigged = await rig();
    put(rigged.repository, 'web1', FIRST, randomBytes(10));
    const list = (await ssh(rigged)).stdout;
    expect(list).toContain(`"id":"${FIRST}"`);
    for (const command of ['id', 'send ../../etc/passwd', '--repository /etc', '$(touch /tmp/guestflow-was-here)', 'bash -i'])
      expect(await ssh(rigged, command)).toMatchObject({ code: 0, stdout: list });
  });

  it('reads the backups of the dom0 as their group does, and nothing of root', async () => {
    const rigged = await rig();
    put(rigged.repository, 'web1', FIRST, randomBytes(10));
    chmodSync(join(rigged.repository, 'web1', `${FIRST}.img.zst`), 0o600);
    const { code, problems } = await rigged.pull();
    expect(code).toBe(1);
    expect(problems).toEqual([{ of: `web1/${FIRST}`, reason: expect.stringContaining('EACCES') as string }]);
  });
});
