/** What Temporal says of a function that it cannot use, as server 1.32 has said it, in words for the person who must act. */
import { describe, expect, it } from 'vitest';
import { checkCompute } from '../../../../client/serverless/compute.ts';
import { whyNotTaken } from '../../../../client/serverless/refusals.ts';

const COMPUTE = {
  functionArn: 'arn:aws:lambda:us-east-1:000000000000:function:guestflow-control:7',
  roleArn: 'arn:aws:iam::000000000000:role/temporal',
  externalId: 'example',
};

/** An error of gRPC, as the client's retries wrap it. */
function answered(code: number, details: string): Error {
  const inner = Object.assign(new Error(`${code}: ${details}`), { code, details, metadata: {} });
  return new Error('the call failed', { cause: inner });
}

const INVALID = 3;

describe('a version that Temporal does not take', () => {
  it.each([
    ["default: Could not instantiate compute provider with type 'aws-lambda'", 'HostNotReady', /no worker controller for AWS Lambda/],
    [
      'default: cannot connect to the compute provider: failed to assume role arn:aws:iam::000000000000:role/r: operation error STS: AssumeRole, get identity: get credentials: failed to refresh cached credentials, no EC2 IMDS role found',
      'HostNotReady',
      /no credentials that AWS knows/,
    ],
    [
      'default: cannot connect to the compute provider: failed to assume role arn:aws:iam::000000000000:role/denied: operation error STS: AssumeRole, https response error StatusCode: 403, RequestID: 1, api error AccessDenied: User is not authorized to perform: sts:AssumeRole',
      'InvalidInput',
      /may not take on the role arn:aws:iam::000000000000:role\/temporal/,
    ],
    [
      'default: IAM role trust policy does not enforce ExternalID condition: role arn:aws:iam::000000000000:role/r does not require the configured external ID',
      'InvalidInput',
      /can be taken on without its external id/,
    ],
    [
      'default: cannot access the compute resource: operation error Lambda: GetFunction, https response error StatusCode: 404, RequestID: , ResourceNotFoundException: Function not found',
      'InvalidInput',
      /there is no function arn:aws:lambda/,
    ],
    [
      'default: cannot access the compute resource: operation error Lambda: GetFunction, https response error StatusCode: 403, RequestID: , api error AccessDeniedException: not authorized',
      'InvalidInput',
      /may not see the function/,
    ],
  ])('%s', (details, type, message) => {
    const error = whyNotTaken(answered(INVALID, details), COMPUTE);
    expect(error).toMatchObject({ type, message: expect.stringMatching(message) as string });
    expect(error?.details.mend).toBeTruthy();
  });

  it('by a server that is too old, says which is needed', () => {
    expect(whyNotTaken(answered(12, 'unknown method'), COMPUTE)?.message).toMatch(/knows no serverless workers/);
  });

  it('for another reason keeps Temporal’s own words', () => {
    expect(whyNotTaken(answered(INVALID, 'something new'), COMPUTE)).toBeUndefined();
    expect(whyNotTaken(new Error('no answer'), COMPUTE)).toBeUndefined();
  });
});

describe('what names a function', () => {
  it('is taken as AWS writes it', () => {
    for (const functionArn of [
      COMPUTE.functionArn,
      COMPUTE.functionArn.replace(':7', ':live'),
      COMPUTE.functionArn.replace('us-east-1', 'ap-southeast-2'),
    ])
      expect(() => checkCompute({ ...COMPUTE, functionArn })).not.toThrow();
  });

  it.each([
    [{ functionArn: COMPUTE.functionArn.replace(':7', ':$LATEST') }, 'names no published version'],
    [{ functionArn: `${COMPUTE.functionArn} ` }, 'is no ARN of a function'],
    [{ functionArn: COMPUTE.functionArn.replace('us-east-1', 'us east') }, 'is no ARN of a function'],
    [{ roleArn: 'temporal' }, 'is no ARN of a role'],
    [{ roleArn: 'arn:aws-cn:iam::000000000000:role/temporal' }, 'is of another partition'],
    [{ externalId: 'a b' }, 'must have 2 to 1224'],
  ])('is refused otherwise: %j', (other, message) => {
    expect(() => checkCompute({ ...COMPUTE, ...other })).toThrow(message);
  });
});
