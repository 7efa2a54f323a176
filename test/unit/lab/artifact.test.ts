import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createRunner } from '../../../system/run.ts';
import { makeArtifact, readArtifact, sweepTemporaries } from '../../../lab/artifact.ts';

const runner = createRunner();
let cache = '';
beforeEach(async () => {
  cache = await mkdtemp(path.join(os.tmpdir(), 'artifact-test-'));
});
afterEach(() => rm(cache, { recursive: true }));

const target = (): string => path.join(cache, 'base-1');
async function make(): Promise<void> {
  await makeArtifact(runner, target(), async (temporary) => {
    await writeFile(path.join(temporary, 'kernel'), 'kernel');
    await mkdir(path.join(temporary, 'tree'));
    await writeFile(path.join(temporary, 'tree/file'), 'x');
  });
}

describe('a folder of the cache', () => {
  test('is whole when it has been made', async () => {
    await make();
    expect((await readArtifact(target(), { deep: true }))?.entries).toHaveProperty('kernel');
  });

  test('is absent after a failed attempt, which leaves nothing behind', async () => {
    await expect(
      makeArtifact(runner, target(), async (temporary) => {
        await writeFile(path.join(temporary, 'kernel'), 'half');
        throw new Error('disk full');
      }),
    ).rejects.toThrow('disk full');
    expect(await readdir(cache)).toEqual([]);
  });

  test('counts as absent when a file in it was cut short', async () => {
    await make();
    await truncate(path.join(target(), 'kernel'), 2);
    expect(await readArtifact(target())).toBeUndefined();
  });

  test('counts as absent when a file in it has other content of the same length', async () => {
    await make();
    await writeFile(path.join(target(), 'kernel'), 'kernal');
    expect(await readArtifact(target(), { deep: true })).toBeUndefined();
  });

  test('counts as absent when its tree lost a file, or its manifest is gone', async () => {
    await make();
    await rm(path.join(target(), 'tree/file'));
    expect(await readArtifact(target())).toBeUndefined();
    await make();
    await rm(path.join(target(), 'manifest.json'));
    expect(await readArtifact(target())).toBeUndefined();
  });

  test("stays whole when something changes outside of it to which a link in its tree leads, as a root tree's /var/run does", async () => {
    const outside = path.join(cache, 'outside');
    await mkdir(outside);
    await makeArtifact(runner, target(), async (temporary) => {
      await mkdir(path.join(temporary, 'tree'));
      await symlink(outside, path.join(temporary, 'tree/run'));
    });
    await writeFile(path.join(outside, 'socket'), '');
    expect(await readArtifact(target())).toBeDefined();
  });

  test('made again is another build, so that what belongs to the first can tell', async () => {
    await make();
    const first = await readArtifact(target());
    await make();
    expect((await readArtifact(target()))?.buildId).not.toBe(first?.buildId);
  });
});

test('what a killed build left is swept away, what a living one is making is not', async () => {
  const ended = runner.run('sh', ['-c', 'echo $$']);
  const pid = (await ended).stdout.trim();
  await mkdir(path.join(cache, `tmp-${pid}-dead`));
  await mkdir(path.join(cache, `tmp-${String(process.ppid)}-alive`));
  await sweepTemporaries(runner, cache);
  expect(existsSync(path.join(cache, `tmp-${pid}-dead`))).toBe(false);
  expect(existsSync(path.join(cache, `tmp-${String(process.ppid)}-alive`))).toBe(true);
});
