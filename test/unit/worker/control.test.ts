import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { bundleWorkflows, prebuiltBundle, WORKFLOWS_PATH } from '../../../worker/bundle.ts';
import { controlOptions, deploymentOptions } from '../../../worker/control.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'guestflow-bundle-'));
});
afterEach(() => {
  rmSync(directory, { recursive: true });
  vi.unstubAllEnvs();
});

describe('the options of a control worker', () => {
  it('say where the workflows are, and hold nothing that only one process can have', () => {
    const options = controlOptions();
    expect(options.taskQueue).toBe('control');
    expect('workflowBundle' in options || options.workflowsPath === WORKFLOWS_PATH).toBe(true);
    for (const key of ['connection', 'activities', 'namespace', 'workerDeploymentOptions']) expect(options).not.toHaveProperty(key);
    expect(existsSync(WORKFLOWS_PATH)).toBe(true);
  });

  it('take the bundle that the environment names', () => {
    vi.stubEnv('GUESTFLOW_WORKFLOW_BUNDLE', '/srv/bundle.js');
    expect(prebuiltBundle()).toBe('/srv/bundle.js');
    expect(controlOptions().workflowBundle).toEqual({ codePath: '/srv/bundle.js' });
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
