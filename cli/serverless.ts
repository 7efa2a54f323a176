/** What `guestflow serverless …` does. */
import { readFile } from 'node:fs/promises';
import { unzipSync } from 'fflate';
import { findEndpoint } from '../client/config.ts';
import { checkCompute, type Compute } from '../client/serverless/compute.ts';
import { planOf } from '../client/serverless/plan.ts';
import { rollBack, rollOut } from '../client/serverless/roll-out.ts';
import { Deployments, type Deployment } from '../client/serverless/versions.ts';
import { openSession } from '../client/session.ts';
import { buildIdOf, type FunctionManifest } from '../contract/deployment.ts';
import { defined } from '../contract/defined.ts';
import { GuestflowError } from '../contract/errors.ts';
import type { ServerlessOptions } from './commands/serverless.ts';
import { printJson, printLine, printTable, type Io } from './io.ts';

/** Shows the builds, and the steps of a roll-out if one is named. */
export async function plan(io: Io, options: ServerlessOptions): Promise<undefined> {
  const isNamed = options.package !== undefined || options.buildId !== undefined;
  const wanted = isNamed ? await wantedOf(options) : undefined;
  const deployment = await withDeployments(options, (deployments) => deployments.look());
  const steps = wanted === undefined ? undefined : planOf(deployment, wanted.buildId, wanted.compute);
  if (options.json) {
    printJson(io, { ...deployment, ...defined({ steps }) });
    return undefined;
  }
  show(io, deployment);
  if (steps === undefined) return undefined;
  printLine(io, '');
  printLine(io, 'a roll-out would');
  for (const [index, step] of steps.entries()) printLine(io, `${index + 1}. ${step}`);
  return undefined;
}

export async function rollOutBuild(io: Io, options: ServerlessOptions): Promise<undefined> {
  const { buildId, compute } = await wantedOf(options);
  const stop = new AbortController();
  const takeBack = io.onInterrupt(() => stop.abort(new GuestflowError('Cancelled', 'interrupted: what was current still is')));
  try {
    const done = await withDeployments(options, (deployments) =>
      rollOut(deployments, { buildId, compute, say: (what) => io.stderr.write(`${what}\n`), signal: stop.signal }),
    );
    result(io, options, done);
  } finally {
    takeBack();
  }
  return undefined;
}

export async function rollBackBuild(io: Io, options: ServerlessOptions): Promise<undefined> {
  const say = (what: string): unknown => io.stderr.write(`${what}\n`);
  result(io, options, await withDeployments(options, (deployments) => rollBack(deployments, options.buildId, say)));
  return undefined;
}

function result(io: Io, { json }: ServerlessOptions, deployment: Deployment): void {
  if (json) printJson(io, deployment);
  else show(io, deployment);
}

function show(io: Io, { name, current, versions }: Deployment): void {
  if (versions.length === 0) {
    printLine(io, `deployment ${name} has no builds`);
    return;
  }
  const rows = versions.map(({ buildId, functionArn, serves, drainage, createdAt }) => {
    const state = buildId === current ? 'current' : (drainage ?? (serves ? 'has served' : 'has not served'));
    return [buildId, state, createdAt, functionArn ?? 'none: long-lived workers'];
  });
  printTable(io, ['BUILD', 'STATE', 'SINCE', 'FUNCTION'], rows);
  if (current === undefined) printLine(io, 'none is current: control workers without a version have the work');
}

async function withDeployments<T>(options: ServerlessOptions, work: (deployments: Deployments) => Promise<T>): Promise<T> {
  const { address, namespace, stateDir } = options;
  const session = await openSession(await findEndpoint({ ...defined({ address, namespace, stateDir }) }));
  try {
    return await work(new Deployments(session, options.deployment));
  } finally {
    await session.close();
  }
}

/** @throws GuestflowError InvalidInput before anybody is asked */
async function wantedOf(options: ServerlessOptions): Promise<{ readonly buildId: string; readonly compute: Compute }> {
  const compute = {
    functionArn: needed(options.function, 'function'),
    roleArn: needed(options.role, 'role'),
    externalId: needed(options.externalId, 'external-id'),
  };
  checkCompute(compute);
  const packaged = options.package === undefined ? undefined : await buildOfPackage(options.package);
  const buildId = packaged ?? needed(options.buildId, 'build-id', 'give --package ZIP or --build-id ID');
  if (options.buildId !== undefined && options.buildId !== buildId)
    throw new GuestflowError('InvalidInput', `--build-id is ${options.buildId}, and the package is of build ${buildId}`, {
      field: 'build-id',
      value: options.buildId,
      mend: 'leave it out: the package knows its own',
    });
  return { buildId, compute };
}

function needed(
  value: string | undefined,
  field: string,
  mend = `give --${field}; guestflow serverless plan --help says what it is`,
): string {
  if (value === undefined) throw new GuestflowError('InvalidInput', `--${field} is missing`, { field, mend });
  return value;
}

/** The build that a package is of. */
async function buildOfPackage(path: string): Promise<string> {
  const bad = (reason: string): GuestflowError =>
    new GuestflowError('InvalidInput', `--package "${path}" ${reason}`, {
      field: 'package',
      value: path,
      mend: 'npm run package:lambda makes dist/guestflow-control_….zip',
    });
  const bytes = await readFile(path).catch((error: unknown) => {
    throw bad(`cannot be read: ${error instanceof Error && 'code' in error ? String(error.code) : 'unknown reason'}`);
  });
  const manifest = readManifest(bytes);
  if (manifest === undefined) throw bad('is no package of a function');
  const { name } = JSON.parse(manifest) as Partial<FunctionManifest>;
  const buildId = buildIdOf(manifest);
  if (name !== 'guestflow-control' || buildId === undefined) throw bad("is not the control worker's package");
  return buildId;
}

function readManifest(bytes: Uint8Array): string | undefined {
  try {
    const { 'package.json': manifest } = unzipSync(bytes, {
      filter: ({ name, originalSize }) => name === 'package.json' && originalSize < 65_536,
    });
    return manifest === undefined ? undefined : new TextDecoder().decode(manifest);
  } catch {
    return undefined;
  }
}
