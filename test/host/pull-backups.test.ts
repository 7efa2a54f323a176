/** A backup host pulls from a dom0 through a real sshd. */
import { createHash, randomBytes } from 'node:crypto';
import { chmodSync, chownSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { recordText } from '../../activities/dom0/backup/record.ts';
import { storedBackup } from '../a-backup.ts';
import { run } from '../unit/cli/run.ts';
import { anSshd, PULL_ID, type Sshd } from './an-sshd.ts';
import { scratch, titled, whyNotHere } from './machine.ts';

const why = whyNotHere('sshd', 'ssh', 'ssh-keygen', 'ssh-keyscan', 'unshare', 'mount');
const [FIRST, SECOND, THIRD] = ['20261101T020000Z', '20261102T020000Z', '20261103T020000Z'] as const;
const MiB = 2 ** 20;

interface Pulled {
  readonly taken: { guest: string; id: string; bytes: number; resumedFrom?: number }[];
  readonly present: number;
  readonly removed: { guest: string; id: string }[];
  readonly problems: { of: string; reason: string }[];
}

/** A dom0's repository as the package makes it, and a backup host's directory. */
interface Rig {
  readonly sshd: Sshd;
  readonly repository: string;
  readonly into: string;
  readonly pull: (...argv: string[]) => Promise<Pulled & { code: number }>;
}

async function rig(): Promise<Rig> {
  const sshd = await anSshd();
  const repository = join(sshd.directory, 'backups');
  mkdirSync(repository);
  chownSync(repository, 0, PULL_ID);
  chmodSync(repository, 0o2750);
  sshd.serve(`${sshd.program} serve-backups --repository ${repository}`);
  const into = scratch();
  const pull = async (...argv: string[]): Promise<Pulled & { code: number }> => {
    const { code, stdout, stderr } = await run(['pull-backups', ...sshd.flags, '--into', into, '--json', ...argv]);
    if (stdout === '') throw new Error(stderr);
    return { code, ...(JSON.parse(stdout) as Pulled) };
  };
  return { sshd, repository, into, pull };
}

/** Puts a backup of these bytes into a repository, as the worker leaves it. */
function put(repository: string, guest: string, id: string, content: Buffer, more: object = {}): void {
  const place = join(repository, guest);
  mkdirSync(place, { recursive: true, mode: 0o750 });
  writeFileSync(join(place, `${id}.img.zst`), content, { mode: 0o640 });
  const sha256 = createHash('sha256').update(content).digest('hex');
  writeFileSync(join(place, `${id}.json`), recordText({ ...storedBackup(guest, id), bytes: content.length, sha256, ...more }), {
    mode: 0o640,
  });
}

/** Every file below a directory, with a sum of what is in it. */
function sums(directory: string): Record<string, string> {
  const files = readdirSync(directory, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return Object.fromEntries(
    files.map(({ parentPath, name }) => {
      const path = join(parentPath, name);
      return [path.slice(directory.length), createHash('sha256').update(readFileSync(path)).digest('hex')];
    }),
  );
}

describe.skipIf(why !== undefined)(titled('guestflow pull-backups', why), () => {
  it('takes what it lacks, through a user that is not root, and backups --repository reads the copy', async () => {
    const { repository, into, pull } = await rig();
    const content = randomBytes(3 * MiB);
    put(repository, 'web1', FIRST, content);
    put(repository, 'db1', SECOND, Buffer.alloc(0));
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
    const listed = JSON.parse((await run(['backups', '--repository', copy, '--json'])).stdout) as { guests: { name: string }[] };
    expect(listed.guests.map(({ name }) => name)).toEqual(['db1', 'web1']);

    put(repository, 'web1', THIRD, randomBytes(10));
    rmSync(join(repository, 'db1'), { recursive: true });
    const before = sums(copy);
    expect(await pull()).toMatchObject({ code: 0, taken: [{ id: THIRD }], present: 1 });
    expect(sums(copy)).toMatchObject(before);
  });
});
