/** What Temporal says when it cannot use a function, in words for the person who must act: its worker controller has asked AWS before it takes a version. */
import { isGrpcServiceError } from '@temporalio/client';
import { GuestflowError, type ErrorType } from '../../contract/errors.ts';
import type { Compute } from './compute.ts';

/** Codes of gRPC. */
export const GRPC = { invalidArgument: 3, notFound: 5, alreadyExists: 6, failedPrecondition: 9, unimplemented: 12 } as const;

/** Whether it is an answer of Temporal with this code. */
export function hasCode(error: unknown, code: number): boolean {
  for (let link: unknown = error; link instanceof Error; link = link.cause)
    if (isGrpcServiceError(link)) return (link.code as number) === code;
  return false;
}

/** Temporal's own words. */
function detailsOf(error: unknown): string | undefined {
  for (let link: unknown = error; link instanceof Error; link = link.cause) if (isGrpcServiceError(link)) return link.details;
  return undefined;
}

interface Reason {
  readonly said: RegExp;
  readonly type: ErrorType;
  readonly field: string;
  explain(compute: Compute): { readonly message: string; readonly mend: string };
}

/** The first that fits. */
const REASONS: readonly Reason[] = [
  {
    said: /could not instantiate compute provider|no compute provider|unknown (provider|scaling)|not enabled/i,
    type: 'HostNotReady',
    field: 'temporal',
    explain: () => ({
      message: 'this Temporal has no worker controller for AWS Lambda: it would never start the function',
      mend: 'on a server of your own set workercontroller.enabled, workercontroller.compute_providers.enabled ["aws-lambda"] and workercontroller.scaling_algorithms.enabled ["no-sync"]; else run a long-lived control worker',
    }),
  },
  {
    said: /get credentials|failed to (refresh|retrieve) (cached )?credentials|InvalidClientTokenId|SignatureDoesNotMatch|ExpiredToken/i,
    type: 'HostNotReady',
    field: 'temporal',
    explain: () => ({
      message: 'Temporal has no credentials that AWS knows, so that it cannot take on any role',
      mend: "give the Temporal server credentials of AWS (its machine's role, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY)",
    }),
  },
  {
    said: /does not enforce ExternalID/i,
    type: 'InvalidInput',
    field: 'external-id',
    explain: ({ roleArn }) => ({
      message: `the role ${roleArn} can be taken on without its external id: anybody's Temporal could use it`,
      mend: "add the condition StringEquals sts:ExternalId to the role's trust policy",
    }),
  },
  {
    said: /failed to assume role/i,
    type: 'InvalidInput',
    field: 'role',
    explain: ({ roleArn }) => ({
      message: `Temporal may not take on the role ${roleArn}`,
      mend: "see that the role is there, that its trust policy names Temporal's own principal, and that --external-id is the one it asks for",
    }),
  },
  {
    said: /ResourceNotFound|Function not found/i,
    type: 'InvalidInput',
    field: 'function',
    explain: ({ functionArn }) => ({
      message: `there is no function ${functionArn}`,
      mend: 'compare account, region, name and version: aws lambda get-function --function-name ARN',
    }),
  },
  {
    said: /cannot access the compute resource/i,
    type: 'InvalidInput',
    field: 'role',
    explain: ({ roleArn, functionArn }) => ({
      message: `the role ${roleArn} may not see the function ${functionArn}`,
      mend: "allow lambda:GetFunction and lambda:InvokeFunction for exactly this ARN in the role's policy",
    }),
  },
];

/** The error of a version that Temporal did not take; undefined when it says nothing that is known here. */
export function whyNotTaken(error: unknown, compute: Compute): GuestflowError | undefined {
  if (hasCode(error, GRPC.unimplemented))
    return new GuestflowError('HostNotReady', 'this Temporal knows no serverless workers', {
      field: 'temporal',
      mend: 'they need server 1.32 or later; else run a long-lived control worker',
    });
  const details = detailsOf(error);
  const reason = details === undefined ? undefined : REASONS.find(({ said }) => said.test(details));
  if (reason === undefined) return undefined;
  const { message, mend } = reason.explain(compute);
  return new GuestflowError(reason.type, message, { field: reason.field, mend });
}
