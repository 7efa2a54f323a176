/** A dom0's repository behind a real sshd, and a backup host that pulls from it. */
import { createHash } from 'node:crypto';
import { chmodSync, chownSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { proofText } from '../../activities/dom0/backup/proof.ts';
import { recordText } from '../../activities/dom0/backup/record.ts';
import type { Proof, StoredBackup } from '../../contract/backup.ts';
import { storedBackup } from '../a-backup.ts';
import { run } from '../unit/cli/run.ts';
import { anSshd, PULL_ID, type Sshd } from './an-sshd.ts';
import { scratch } from './machine.ts';

export interface Pulled {
  readonly taken: { guest: string; id: string; bytes: number; resumedFrom?: number }[];
  readonly present: number;
  readonly removed: { guest: string; id: string }[];
  readonly problems: { of: string; reason: string }[];
}

/** A dom0's repository as the package makes it, and a backup host's directory. */
export interface Rig {
  readonly sshd: Sshd;
  readonly repository: string;
  readonly into: string;
  readonly pull: (...argv: string[]) => Promise<Pulled & { code: number }>;
}

export async function rig(): Promise<Rig> {
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

/** The id of a backup of so many days ago. Clocks count: a backup of the future is not taken. */
export function idOf(daysAgo: number): string {
  return `${dayOf(daysAgo).replaceAll('-', '')}T020000Z`;
}

/** What says that a backup came so many days ago, in the morning. */
export function arrivalOf(daysAgo: number): string {
  return `${JSON.stringify({ arrivedAt: `${dayOf(daysAgo)}T06:00:00.000Z` })}\n`;
}

function dayOf(daysAgo: number): string {
  return new Date(Date.now() - daysAgo * 86_400_000).toISOString().slice(0, 10);
}

/** Puts a backup of these bytes into a repository, as the worker leaves it. */
export function put(repository: string, guest: string, id: string, content: Buffer, more: object = {}): void {
  const place = join(repository, guest);
  mkdirSync(place, { recursive: true, mode: 0o750 });
  writeFileSync(join(place, `${id}.img.zst`), content, { mode: 0o640 });
  const sha256 = createHash('sha256').update(content).digest('hex');
  writeFileSync(join(place, `${id}.json`), recordText({ ...storedBackup(guest, id), bytes: content.length, sha256, ...more }), {
    mode: 0o640,
  });
}

/** Every file below a directory, with a sum of what is in it. */
export function sums(directory: string): Record<string, string> {
  const files = readdirSync(directory, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return Object.fromEntries(
    files.map(({ parentPath, name }) => {
      const path = join(parentPath, name);
      return [path.slice(directory.length), createHash('sha256').update(readFileSync(path)).digest('hex')];
    }),
  );
}

/** Puts what came of a proof beside a backup that is there, as the worker does. */
export function putProof(repository: string, guest: string, id: string, outcome: Proof['outcome'], what = 'web1 login:'): void {
  const backup = JSON.parse(readFileSync(join(repository, guest, `${id}.json`), 'utf8')) as StoredBackup;
  const text = proofText(backup, { at: '2026-11-28T00:00:00.000Z', seconds: 40, outcome, what });
  writeFileSync(join(repository, guest, `${id}.proof.json`), text, { mode: 0o640 });
}
