/**
 * The control worker as an AWS Lambda function, a Temporal Serverless Worker: Temporal invokes it when there is work and nobody polls, and it works until its
 * time is nearly over. It is made of the same options and activities as the long-lived process. Its environment says what theirs does.
 */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { runWorker } from '@temporalio/lambda-worker';
import type { NativeConnectionOptions } from '@temporalio/worker';
import { findEndpoint } from '../client/config.ts';
import { loadFunctionSecret } from '../client/function-secret.ts';
import { controlOptions, loadNotifyParts } from './control-options.ts';
import { logCodec } from './data-converter.ts';
import { functionVersion } from './deployment.ts';
import { createLogger, runtimeOptions } from './logger.ts';

/** What Lambda tells a function of its invocation, as far as it is used. */
export interface FunctionContext {
  getRemainingTimeInMillis(): number;
  readonly awsRequestId: string;
  readonly invokedFunctionArn: string;
}

export type FunctionHandler = (event: unknown, context: FunctionContext) => Promise<void>;

/** It stops seven seconds before its time is over, and in those everything must have ended. Its memory is for fewer workflows. */
const LIMITS = {
  shutdownGraceTime: '4s',
  shutdownForceTime: '5s',
  maxCachedWorkflows: 100,
  stickyQueueScheduleToStartTimeout: '2s',
} as const;

/** What `npm run package:lambda` has put beside this module. */
const beside = (file: string): string => fileURLToPath(new URL(`./${file}`, import.meta.url));

async function createHandler(): Promise<FunctionHandler> {
  const version = functionVersion(await readFile(beside('package.json'), 'utf8'));
  await loadFunctionSecret();
  const endpoint = await findEndpoint();
  const logger = createLogger('control');
  logCodec(endpoint, logger);
  const bundle = beside(endpoint.codecKeys.length > 0 ? 'workflows-encoding.js' : 'workflows.js');
  const options = controlOptions(endpoint, { notify: await loadNotifyParts(), bundle });
  return runWorker(version, (config) => {
    config.connectionOptions = endpoint.connection as NativeConnectionOptions;
    config.namespace = endpoint.namespace;
    config.runtimeOptions = runtimeOptions(logger);
    Object.assign(config.workerOptions, options, LIMITS);
  });
}

let created: Promise<FunctionHandler> | undefined;

/** The entry. A failure to begin is not kept: Lambda invokes the same process again. */
export const handler: FunctionHandler = async (event, context) => {
  created ??= createHandler().catch((error: unknown) => {
    created = undefined;
    throw error;
  });
  await (
    await created
  )(event, context);
};
