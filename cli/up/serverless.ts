/** The control worker as a function on this machine, for `guestflow up --serverless`: its package, a stand-in for AWS that runs it, and its roll-out. */
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { unzipSync } from 'fflate';
import { findEndpoint } from '../../client/config.ts';
import { rollOut } from '../../client/serverless/roll-out.ts';
import { Deployments } from '../../client/serverless/versions.ts';
import { openSession } from '../../client/session.ts';
import { BUILD_ID_LENGTH, DEFAULT_DEPLOYMENT } from '../../contract/deployment.ts';
import { buildFunctionPackage } from '../../deploy/serverless/package.ts';
import type { LambdaFunction } from '../../lab/aws/invocation.ts';
import { STAND_IN_ACCOUNT, STAND_IN_REGION, startStandIn, type StandIn } from '../../lab/aws/stand-in.ts';
import { partName, writeWhole } from '../../system/whole-file.ts';
import type { UpRun } from './servers.ts';

/** The control worker's function, ready to be invoked. */
export interface ControlFunction {
  readonly buildId: string;
  readonly arn: string;
  readonly standIn: StandIn;
  /** Of the Temporal server that is to invoke it. */
  readonly environment: Readonly<Record<string, string>>;
  stop(): Promise<void>;
}

const NAME = 'guestflow-control';
/** Small enough that what a function must bear is seen: each minute another process. */
const LIMITS = { memoryMiB: 512, timeoutSeconds: 60, concurrency: 2 } as const;
/** What of this process's environment is the function's, too. */
const HANDED_ON = ['GUESTFLOW_LOG_LEVEL', 'GUESTFLOW_PLACEMENT', 'CREDENTIALS_DIRECTORY'];
/** The same, of files. */
const FILES_HANDED_ON = ['GUESTFLOW_CODEC_KEY_FILE', 'GUESTFLOW_NOTIFY'];

const functionsDir = (stateDir: string): string => join(stateDir, 'functions');
const isBuildId = (name: string): boolean => new RegExp(`^[0-9a-f]{${BUILD_ID_LENGTH}}$`).test(name);

/** Builds and unpacks the package, and starts the stand-in. Former builds are there still, for the operations that are pinned to them. */
export async function prepareFunction(run: UpRun): Promise<ControlFunction> {
  const { stateDir, stages, started, logger } = run;
  const directory = functionsDir(stateDir);
  let prepared: ControlFunction | undefined;
  await stages.run('function', async (say) => {
    say('packing the control worker');
    const { buildId, file, bytes } = await buildFunctionPackage('control');
    await unpack(file, join(directory, buildId));
    const builds = (await readdir(directory)).filter(isBuildId);
    const functions = builds.map((build) => functionOf(run, build));
    const externalId = await externalIdOf(directory);
    const log = logger.child({ component: 'lambda stand-in' });
    const standIn = await startStandIn({ functions, externalId, logFile: join(directory, 'functions.log'), log });
    let stopped: Promise<void> | undefined;
    const stop = (): Promise<void> => (stopped ??= standIn.stop());
    started.add(stop);
    prepared = { buildId, arn: arnOf(buildId), standIn, environment: standIn.environment, stop };
    return `build ${buildId}, ${(bytes / 1e6).toFixed(1)} MB; a stand-in for AWS STS and Lambda runs it`;
  });
  if (prepared === undefined) throw new Error('no function was prepared');
  return prepared;
}

/** Has Temporal send work to the function. */
export async function rollOutFunction(
  { stateDir, temporalPort, stages, started, signal }: UpRun,
  prepared: ControlFunction,
): Promise<void> {
  const { buildId, arn, standIn } = prepared;
  // Before Temporal: a function that loses its server would only complain.
  started.add(() => prepared.stop());
  await stages.run('control function', async (say) => {
    say('waiting until it has polled');
    const compute = { functionArn: arn, roleArn: standIn.role.arn, externalId: standIn.role.externalId };
    const { versions } = await withDeployments(temporalPort, (deployments) =>
      rollOut(deployments, { buildId, compute, say: () => undefined, signal }),
    );
    const kept = new Set(versions.map((version) => version.buildId));
    const directory = functionsDir(stateDir);
    const gone = (await readdir(directory)).filter((name) => isBuildId(name) && name !== buildId && !kept.has(name));
    await Promise.all(gone.map((name) => rm(join(directory, name), { recursive: true, force: true })));
    return 'Temporal starts it when there is work';
  });
}

/** After a run with `--serverless`: from now on, a control worker that is no version takes the work. */
export async function endServerless(stateDir: string, temporalPort: number): Promise<void> {
  if (!existsSync(functionsDir(stateDir))) return;
  await withDeployments(temporalPort, async (deployments) => {
    const { current } = await deployments.look();
    if (current !== undefined) await deployments.setCurrent(undefined);
  });
}

async function withDeployments<T>(temporalPort: number, work: (deployments: Deployments) => Promise<T>): Promise<T> {
  const session = await openSession(await findEndpoint({ address: `127.0.0.1:${temporalPort}` }));
  try {
    return await work(new Deployments(session, DEFAULT_DEPLOYMENT));
  } finally {
    await session.close();
  }
}

/** Each build has an alias of its own, as on AWS each has a version: it stays what it is. */
function arnOf(buildId: string): string {
  return `arn:aws:lambda:${STAND_IN_REGION}:${STAND_IN_ACCOUNT}:function:${NAME}:build-${buildId}`;
}

function functionOf({ stateDir, temporalPort }: UpRun, buildId: string): LambdaFunction {
  const { env } = process;
  const handedOn = [
    ...HANDED_ON.map((name) => [name, env[name]] as const),
    ...FILES_HANDED_ON.map((name) => [name, (env[name] ?? '') === '' ? undefined : resolve(env[name] ?? '')] as const),
  ];
  const settings = handedOn.filter((entry): entry is [string, string] => entry[1] !== undefined);
  return {
    ...LIMITS,
    arn: arnOf(buildId),
    name: NAME,
    taskRoot: join(functionsDir(stateDir), buildId),
    handler: 'control.handler',
    environment: { TEMPORAL_ADDRESS: `127.0.0.1:${temporalPort}`, ...Object.fromEntries(settings) },
  };
}

/** The content of the package, whole or not at all. */
async function unpack(file: string, directory: string): Promise<void> {
  if (existsSync(directory)) return;
  const part = partName(directory);
  await mkdir(part, { recursive: true, mode: 0o700 });
  for (const [name, content] of Object.entries(unzipSync(await readFile(file)))) await writeFile(join(part, name), content);
  await rename(part, directory);
}

/** Stays the same: versions that Temporal has kept from an earlier run ask for the role with it. */
async function externalIdOf(directory: string): Promise<string> {
  const file = join(directory, 'external-id');
  const known = await readFile(file, 'utf8').catch(() => '');
  if (/^[0-9a-f]{32}$/.test(known)) return known;
  const made = randomBytes(16).toString('hex');
  await writeWhole(file, made);
  return made;
}
