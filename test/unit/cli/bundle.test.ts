/** The command line runs from bundles of its sources: what is in a bundle must do what the sources do. */
import { execFile } from 'node:child_process';
import { chmod, chown, cp, mkdtemp, mkdir, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type * as packages from '../../../deploy/package.ts';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const NOBODY = 65_534;
const { cachedBundle, FOLDERS } = (await import(new URL('../../../bin/cached-bundle.mjs', import.meta.url).href)) as {
  cachedBundle: (root: string) => Promise<string>;
  FOLDERS: readonly string[];
};
const { buildBundles } = (await import(new URL('../../../bin/build.mjs', import.meta.url).href)) as {
  buildBundles: (root: string, outdir: string) => Promise<{ quick: readonly string[] }>;
};
const run = promisify(execFile);

let scratch: string;

beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'guestflow-bundle-'));
  await chmod(scratch, 0o755);
});

afterAll(async () => {
  await rm(scratch, { recursive: true, force: true });
});

/** A checkout of little more than `cli/main.ts`, with what bundling needs and a package of its own. */
async function checkout(name: string, main: string): Promise<string> {
  const root = join(scratch, name);
  await mkdir(join(root, 'cli'), { recursive: true });
  await writeFile(join(root, 'cli', 'main.ts'), main);
  for (const file of ['package.json', 'package-lock.json']) await writeFile(join(root, file), '{}');
  await cp(join(ROOT, 'bin'), join(root, 'bin'), { recursive: true });
  for (const folder of ['esbuild', '@esbuild', 'commander'])
    await cp(join(ROOT, 'node_modules', folder), join(root, 'node_modules', folder), { recursive: true });
  await mkdir(join(root, 'node_modules', 'greeting'));
  await writeFile(join(root, 'node_modules', 'greeting', 'index.js'), `exports.hello = 'hello';`);
  return root;
}

const GREETS = `import { hello } from 'greeting';
export async function main(argv: string[]): Promise<number> { console.log(hello, ...argv); return argv.includes('fail') ? 1 : 0; }`;

const guestflow = (root: string, ...argv: string[]): Promise<{ stdout: string; stderr: string }> =>
  run(process.execPath, [join(root, 'bin', 'guestflow.mjs'), ...argv]);

test('a module in a bundle has its own import.meta.url, and words that look like it stay as they are', async () => {
  const root = await checkout('urls', `export const url: string = import.meta.url;\nexport const words = 'import.meta.url';\n`);
  const folder = await cachedBundle(root);

  for (const file of ['main.mjs', 'quick.cjs']) {
    const main = (await import(pathToFileURL(join(folder, file)).href)) as unknown;
    expect(main).toMatchObject({ url: pathToFileURL(join(root, 'cli', 'main.ts')).href, words: 'import.meta.url' });
  }
});

test('the bundle builds the dom0 package, which npm start puts into the lab', async () => {
  const folder = await cachedBundle(ROOT);
  const chunk = (await readdir(folder)).find((name) => /^package-\w+\.mjs$/.test(name));
  const { buildDom0Package } = (await import(
    pathToFileURL(join(folder, chunk ?? 'no chunk of deploy/package.ts')).href
  )) as typeof packages;

  const { file } = await buildDom0Package({ outDir: scratch });

  expect(await readdir(scratch)).toContain(file.slice(scratch.length + 1));
});

test('the quick bundle builds the program that prepares a host, and looks for the host', async () => {
  const config = join(scratch, 'ssh_config');
  await writeFile(config, 'Host bare\n  HostName 127.0.0.1\n  Port 1\n');

  const refused = guestflow(ROOT, 'dom0', 'prepare', '--ssh', 'root@bare', '--ssh-config', config, '--dry-run');

  await expect(refused).rejects.toMatchObject({ stderr: expect.stringMatching(/cannot be reached by ssh|ssh is not installed/) as string });
});

test('the quick bundle holds the client of Temporal, and nothing of a worker', async () => {
  const { quick } = await buildBundles(ROOT, join(scratch, 'quick'));
  const named = new Set(quick.map((path) => /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1]));

  expect(named).toContain('@temporalio/client');
  for (const name of ['@temporalio/worker', '@temporalio/core-bridge', '@temporalio/activity', '@temporalio/workflow', 'prom-client'])
    expect(named).not.toContain(name);
  expect(await readFile(join(scratch, 'quick', 'quick.cjs'), 'latin1')).not.toContain('temporal.api.cloud');
});

test('several at once on a fresh checkout all do their work', async () => {
  const root = await checkout('at-once', GREETS);

  const answers = await Promise.all(['one', 'two', 'three'].map((word) => guestflow(root, word)));

  expect(answers.map(({ stdout }) => stdout)).toEqual(['hello one\n', 'hello two\n', 'hello three\n']);
});

test('a changed source or package is bundled anew', async () => {
  const root = await checkout('changed', GREETS);
  await guestflow(root, 'list');

  await writeFile(join(root, 'cli', 'main.ts'), GREETS.replace('(hello,', '(hello, "again",'));
  expect((await guestflow(root, 'list')).stdout).toBe('hello again list\n');

  await writeFile(join(root, 'node_modules', 'greeting', 'index.js'), `exports.hello = 'good morning';`);
  await writeFile(join(root, 'node_modules', '.package-lock.json'), '{"lockfileVersion":3}');
  expect((await guestflow(root, 'list')).stdout).toBe('good morning again list\n');
});

test('what V8 compiled is kept for each command that succeeds, and does no harm when it is damaged', async () => {
  const root = await checkout('compiled', GREETS);
  const kept = join(await cachedBundle(root), `list.v8-${process.arch}`);
  await guestflow(root, 'list', 'fail').catch(() => undefined);
  await expect(readFile(kept)).rejects.toThrow();

  await guestflow(root, 'list');
  const whole = await readFile(kept);
  for (const damage of [() => truncate(kept, 100), () => writeFile(kept, 'no code'), () => writeFile(kept, '')]) {
    await damage();
    expect((await guestflow(root, 'list', 'it')).stdout).toBe('hello list it\n');
    expect((await readFile(kept)).length).toBeGreaterThan(whole.length / 2);
  }
});

// Root may write everywhere: another user runs it then.
test('a checkout that the user may not write to runs from the cache of that user', async () => {
  const root = await checkout('read-only', GREETS);
  const cache = join(scratch, 'cache-of-user');
  await mkdir(cache, { mode: 0o700 });
  const isRoot = process.getuid?.() === 0;
  if (isRoot) await chown(cache, NOBODY, NOBODY);
  await chmod(join(root, 'node_modules'), 0o555);
  const env = { PATH: process.env['PATH'], GUESTFLOW_CACHE: cache };

  // `up` is of the other bundle, whose packages are not in it.
  for (const command of ['list', 'up', 'list']) {
    const { stdout } = await run(process.execPath, [join(root, 'bin', 'guestflow.mjs'), command], {
      env,
      cwd: dirname(root),
      ...(isRoot ? { uid: NOBODY, gid: NOBODY } : {}),
    });
    expect(stdout).toBe(`hello ${command}\n`);
  }
  await chmod(join(root, 'node_modules'), 0o755);
  expect(await readdir(join(root, 'node_modules'))).not.toContain('.cache');
});

test('a change in any folder of sources makes the bundles anew', async () => {
  const folders = (await readdir(ROOT, { withFileTypes: true })).filter((entry) => entry.isDirectory() && /^[a-z]/.test(entry.name));
  const withSources: string[] = [];
  for (const { name } of folders.filter((entry) => !['node_modules', 'test', 'docs', 'dist', 'coverage'].includes(entry.name)))
    if ((await readdir(join(ROOT, name), { recursive: true })).some((file) => /\.(ts|mjs)$/.test(file))) withSources.push(name);
  expect(withSources.filter((name) => !FOLDERS.includes(name))).toEqual([]);
});
