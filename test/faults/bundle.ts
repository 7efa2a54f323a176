/** The workflows as they are, but with time limits for tests: built once for what the sources say. */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundleWorkflowCode, DefaultLogger } from '@temporalio/worker';
import { WORKFLOWS_PATH, workflowSourceHash } from '../../worker/bundle.ts';

const SHORT_LIMITS = fileURLToPath(new URL('short-limits.ts', import.meta.url));
const DIST = fileURLToPath(new URL('../../dist', import.meta.url));

/** A request of webpack's, as far as it is looked at here. */
interface Request {
  request: string;
  readonly context: string;
}

/** Lets `workflows/` import the short limits; the short limits import the real ones. */
const inTheirPlace = {
  apply(compiler: {
    hooks: {
      normalModuleFactory: {
        tap(
          name: string,
          work: (factory: { hooks: { beforeResolve: { tap(name: string, work: (data: Request) => void): void } } }) => void,
        ): void;
      };
    };
  }): void {
    compiler.hooks.normalModuleFactory.tap('short-limits', (factory) => {
      factory.hooks.beforeResolve.tap('short-limits', (data) => {
        if (/\/time-limits\.ts$/.test(data.request) && /\/workflows(?:\/|$)/.test(data.context)) data.request = SHORT_LIMITS;
      });
    });
  },
};

/** Path of the bundle; built when it is not there. */
export async function shortBundle(): Promise<string> {
  const hash = createHash('sha256').update(workflowSourceHash()).update(readFileSync(SHORT_LIMITS)).digest('hex').slice(0, 16);
  const path = join(DIST, `faults-bundle.${hash}.js`);
  if (existsSync(path)) return path;
  const { code } = await bundleWorkflowCode({
    workflowsPath: WORKFLOWS_PATH,
    logger: new DefaultLogger('WARN'),
    webpackConfigHook: (config) => ({ ...config, plugins: [...(config.plugins ?? []), inTheirPlace] }),
  });
  if (!/10_?001/.test(code))
    throw new Error('the short time limits have not come into the bundle: has workflows/saga/time-limits.ts another name now?');
  await mkdir(DIST, { recursive: true });
  const temporary = `${path}.${String(process.pid)}.part`;
  await writeFile(temporary, code);
  await rename(temporary, path);
  return path;
}
