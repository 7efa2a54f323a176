/** Checks AWS Signature Version 4, as AWS does: who asks, for which service and region, and that nothing was changed on the way. */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import { AwsRefusal } from './refusal.ts';

/** Keys that requests are signed with. */
export interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** Of temporary ones. */
  readonly sessionToken?: string;
}

/** What is checked. */
export interface SignedRequest {
  readonly method: string;
  /** Path as it stood on the wire. None of ours has a query. */
  readonly path: string;
  readonly headers: Headers;
  readonly body: string;
}

const ALGORITHM = 'AWS4-HMAC-SHA256';
/** A request may be at most this old, or this far in the future. */
const SKEW_MS = 5 * 60_000;

const hashOf = (text: string): string => createHash('sha256').update(text).digest('hex');
const hmac = (key: Buffer | string, text: string): Buffer => createHmac('sha256', key).update(text).digest();

/**
 * Checks it.
 *
 * @param known the credentials of an access key; undefined: there are none
 * @returns the region that it was signed for
 * @throws AwsRefusal 403 with AWS's own code
 */
export function checkSignature(
  request: SignedRequest,
  service: string,
  known: (accessKeyId: string) => Credentials | undefined,
  now = Date.now(),
): string {
  const { headers } = request;
  const [, keyId = '', day = '', region = '', signedFor, signedHeaders = '', signature = ''] =
    /^AWS4-HMAC-SHA256 Credential=(\w+)\/(\d{8})\/([\w-]+)\/(\w+)\/aws4_request, SignedHeaders=([\w;-]+), Signature=([0-9a-f]{64})$/.exec(
      headers.get('authorization') ?? '',
    ) ?? [];
  if (signature === '') throw new AwsRefusal(403, 'MissingAuthenticationToken', 'the request is not signed');
  if (signedFor !== service)
    throw new AwsRefusal(403, 'SignatureDoesNotMatch', `it is signed for ${String(signedFor)}, and this is ${service}`);
  const credentials = known(keyId);
  if (credentials === undefined) throw new AwsRefusal(403, 'InvalidClientTokenId', 'the security token included in the request is invalid');
  if (credentials.sessionToken !== undefined && headers.get('x-amz-security-token') !== credentials.sessionToken)
    throw new AwsRefusal(403, 'InvalidClientTokenId', 'the session token is not that of the access key');
  const time = headers.get('x-amz-date') ?? '';
  if (!time.startsWith(day) || Math.abs(now - timeOf(time)) > SKEW_MS)
    throw new AwsRefusal(403, 'RequestExpired', 'the request is too old, or its clock is wrong');
  const scope = `${day}/${region}/${service}/aws4_request`;
  const text = [ALGORITHM, time, scope, hashOf(canonical(request, signedHeaders))].join('\n');
  const key = [day, region, service, 'aws4_request'].reduce<Buffer | string>(hmac, `AWS4${credentials.secretAccessKey}`);
  if (!timingSafeEqual(hmac(key, text), Buffer.from(signature, 'hex')))
    throw new AwsRefusal(403, 'SignatureDoesNotMatch', 'the signature does not match');
  return region;
}

/** The request in the one form that both sides hash. */
function canonical({ method, path, headers, body }: SignedRequest, signedHeaders: string): string {
  const names = signedHeaders.split(';');
  for (const needed of ['host', 'x-amz-date'])
    if (!names.includes(needed)) throw new AwsRefusal(403, 'SignatureDoesNotMatch', `the header ${needed} is not signed`);
  const lines = names.map((name) => `${name}:${(headers.get(name) ?? '').trim().replaceAll(/ +/g, ' ')}`);
  // Paths are encoded once more than they stand on the wire.
  const encoded = path.split('/').map(encodeURIComponent).join('/');
  return [method, encoded, '', ...lines, '', signedHeaders, hashOf(body)].join('\n');
}

/** Milliseconds since 1970 of `20260131T235959Z`; NaN for anything else. */
function timeOf(text: string): number {
  return Date.parse(text.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z'));
}
