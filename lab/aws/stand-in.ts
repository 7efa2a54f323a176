/**
 * A stand-in for AWS STS and AWS Lambda on this machine, for the embedded Temporal's worker controller. It is strict: signatures, roles, external ids, regions
 * and names are checked as AWS does. It is not AWS: a function's processes are never kept warm, what it may write is checked by Node alone, and nothing is billed.
 */
import { randomBytes } from 'node:crypto';
import { serve } from '../../system/http/server.ts';
import type { LambdaFunction } from './invocation.ts';
import { Lambda, lambdaRefusal, type LambdaLog } from './lambda.ts';
import { AwsRefusal } from './refusal.ts';
import { checkSignature, type Credentials } from './signature.ts';
import { Sts, stsRefusal, type Role } from './sts.ts';

/** Region of everything in it. */
export const STAND_IN_REGION = 'us-east-1';
/** Account of everything in it: no real one has this number. */
export const STAND_IN_ACCOUNT = '000000000000';

export interface StandInOptions {
  readonly functions: readonly LambdaFunction[];
  /** What functions print is added to it. */
  readonly logFile: string;
  readonly log: LambdaLog;
  /** That the role asks for. */
  readonly externalId: string;
}

/** A stand-in that serves. */
export interface StandIn {
  readonly role: Role;
  /** What the Temporal server's environment must have to find it, and to be known by it. */
  readonly environment: Readonly<Record<string, string>>;
  /** Invocations that were begun so far. */
  invocations(): number;
  /** Ends all invocations, then takes no more requests. */
  stop(): Promise<void>;
}

/** Longest body: that of AssumeRole. */
const LONGEST_BODY = 8_192;

/** Serves on any free port of 127.0.0.1. */
export async function startStandIn({ functions, logFile, log, externalId }: StandInOptions): Promise<StandIn> {
  const role = { arn: `arn:aws:iam::${STAND_IN_ACCOUNT}:role/guestflow-temporal`, externalId };
  const caller: Credentials = { accessKeyId: `AKIA${hex(8).toUpperCase()}`, secretAccessKey: hex(24) };
  const sts = new Sts(role);
  const lambda = new Lambda({ functions, logFile, log });
  const server = await serve((request) => answer(request, { caller, sts, lambda }), { port: 0 });
  return {
    role,
    environment: {
      AWS_ENDPOINT_URL_STS: server.url,
      AWS_ENDPOINT_URL_LAMBDA: server.url,
      AWS_ACCESS_KEY_ID: caller.accessKeyId,
      AWS_SECRET_ACCESS_KEY: caller.secretAccessKey,
      AWS_REGION: STAND_IN_REGION,
    },
    invocations: () => lambda.begun,
    stop: async () => {
      await lambda.stop();
      await server.close();
    },
  };
}

interface Parts {
  readonly caller: Credentials;
  readonly sts: Sts;
  readonly lambda: Lambda;
}

const hex = (bytes: number): string => randomBytes(bytes).toString('hex');

async function answer(request: Request, parts: Parts): Promise<Response> {
  const path = new URL(request.url).pathname;
  const isSts = path === '/';
  try {
    const body = await bodyOf(request);
    const signed = { method: request.method, path, headers: request.headers, body };
    if (isSts) {
      checkSignature(signed, 'sts', (id) => (id === parts.caller.accessKeyId ? parts.caller : undefined));
      return parts.sts.assume(body);
    }
    // Only the role may see and invoke functions: Temporal's own credentials may not.
    return ofLambda(request, path, checkSignature(signed, 'lambda', parts.sts.credentialsOf), parts.lambda);
  } catch (error) {
    const refusal = error instanceof AwsRefusal ? error : new AwsRefusal(500, 'ServiceException', 'the stand-in has a defect');
    return isSts ? stsRefusal(refusal) : lambdaRefusal(refusal);
  }
}

function ofLambda(request: Request, path: string, region: string, lambda: Lambda): Response {
  const [, arn, invocations] = /^\/2015-03-31\/functions\/([^/]+)(\/invocations)?$/.exec(path) ?? [];
  const isLook = request.method === 'GET' && invocations === undefined;
  if (arn === undefined || !(isLook || (request.method === 'POST' && invocations !== undefined)))
    throw new AwsRefusal(404, 'UnknownOperationException', 'this stand-in knows GetFunction and Invoke only');
  const found = lambda.find(decodeURIComponent(arn), region);
  return isLook ? lambda.describe(found) : lambda.take(found, request.headers.get('x-amz-invocation-type'));
}

async function bodyOf(request: Request): Promise<string> {
  if (Number(request.headers.get('content-length') ?? 0) > LONGEST_BODY)
    throw new AwsRefusal(413, 'RequestEntityTooLarge', 'the body is too long');
  return request.text();
}
