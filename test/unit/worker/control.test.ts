import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { findEndpoint } from '../../../client/config.ts';
import { bundleWorkflows, prebuiltBundle, WORKFLOWS_PATH } from '../../../worker/bundle.ts';
import { controlOptions } from '../../../worker/control-options.ts';
import { deploymentOptions, functionVersion } from '../../../worker/deployment.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'guestflow-bundle-'));
});
afterEach(() => {
  rmSync(directory, { recursive: true });
  vi.unstubAllEnvs();
});

describe('the options of a control worker', () => {
  it('say where the workflows are and what the activities do, and hold nothing that only one process can have', async () => {
    const options = controlOptions(await findEndpoint({ address: 'temporal.example:7233' }));
    expect(options.taskQueue).toBe('control');
    expect('workflowBundle' in options || options.workflowsPath === WORKFLOWS_PATH).toBe(true);
    expect(Object.keys(options.activities ?? {})).toEqual(
      expect.arrayContaining(['reserve', 'claims', 'placeGuest', 'deliverNotification']),
    );
    for (const key of ['connection', 'namespace', 'workerDeploymentOptions']) expect(options).not.toHaveProperty(key);
    expect(existsSync(WORKFLOWS_PATH)).toBe(true);
  });

  it('take the bundle that the environment names, unless the process knows its own', async () => {
    vi.stubEnv('GUESTFLOW_WORKFLOW_BUNDLE', '/srv/bundle.js');
    expect(prebuiltBundle()).toBe('/srv/bundle.js');
    const endpoint = await findEndpoint({ address: 'temporal.example:7233' });
    expect(controlOptions(endpoint).workflowBundle).toEqual({ codePath: '/srv/bundle.js' });
    expect(controlOptions(endpoint, { bundle: '/var/task/own.js' }).workflowBundle).toEqual({ codePath: '/var/task/own.js' });
  });
});

describe('the version of a deployment', () => {
  it('is left out where nothing names one', () => {
    expect(deploymentOptions({})).toBeUndefined();
  });

  it('is that of the environment', () => {
    expect(deploymentOptions({ GUESTFLOW_DEPLOYMENT: 'guestflow', GUESTFLOW_BUILD_ID: '42' })).toMatchObject({
      version: { deploymentName: 'guestflow', buildId: '42' },
      useWorkerVersioning: true,
    });
  });

  it.each([{ GUESTFLOW_DEPLOYMENT: 'guestflow' }, { GUESTFLOW_BUILD_ID: '42' }])('is refused by halves: %o', (env) => {
    expect(() => deploymentOptions(env)).toThrow(/is not set/);
  });
});

describe('the version of a function', () => {
  const packageOf = (buildId: string): string => JSON.stringify({ name: 'guestflow-control', version: '1', guestflow: { buildId } });

  it('is its package, in the deployment guestflow or another one', () => {
    expect(functionVersion(packageOf('0123456789ab'), {})).toEqual({ deploymentName: 'guestflow', buildId: '0123456789ab' });
    expect(functionVersion(packageOf('0123456789ab'), { GUESTFLOW_DEPLOYMENT: 'blue' })).toMatchObject({ deploymentName: 'blue' });
  });

  it('cannot be set to another than the package is', () => {
    const env = { GUESTFLOW_BUILD_ID: 'ba9876543210' };
    expect(() => functionVersion(packageOf('0123456789ab'), env)).toThrow(/is ba9876543210.*of build 0123456789ab/);
  });

  it.each(['{}', '{"guestflow": {}}', packageOf('latest')])('is not guessed where the package has none: %s', (manifest) => {
    expect(() => functionVersion(manifest, {})).toThrow(/has no build id/);
  });
});

describe('the workflow bundle', () => {
  it('is built once for the same sources, holds no zod, and leaves no half behind', async () => {
    const first = await bundleWorkflows(directory);
    expect(first.reused).toBe(false);
    expect(await bundleWorkflows(directory)).toEqual({ ...first, reused: true });
    expect(readdirSync(directory)).toEqual([`workflow-bundle.${first.hash}.js`]);
    // Loaded once for each cached workflow: with zod in it, each would cost a megabyte.
    expect(readFileSync(first.codePath, 'utf8')).not.toMatch(/node_modules\/zod\//);
  });
});
