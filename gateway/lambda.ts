/**
 * The gateway as an AWS Lambda function, behind a function URL or an HTTP API (payload format 2.0 of both).
 */
import { gatewayFromEnvironment } from './from-environment.ts';
import type { Gateway } from './gateway.ts';
import { problemResponse, HttpRefusal } from '../system/http/problem.ts';
import { urlOfTarget } from '../system/http/target.ts';

/** The fields that are read of a request event, payload format 2.0. */
export interface LambdaRequest {
  readonly rawPath: string;
  readonly rawQueryString?: string;
  readonly headers?: Readonly<Record<string, string | undefined>>;
  readonly body?: string | null;
  readonly isBase64Encoded?: boolean;
  readonly requestContext: { readonly stage?: string; readonly http: { readonly method: string } };
}

export interface LambdaResponse {
  readonly statusCode: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly isBase64Encoded: boolean;
}

export type LambdaHandler = (event: LambdaRequest) => Promise<LambdaResponse>;

/** A handler for a gateway that was put together elsewhere: with secrets from a secrets manager, say. */
export function createLambdaHandler(gateway: () => Promise<Gateway>): LambdaHandler {
  return async (event) => {
    const request = toRequest(event);
    const response = request instanceof Request ? await (await gateway())(request) : problemResponse(request);
    return {
      statusCode: response.status,
      headers: Object.fromEntries(response.headers),
      body: await response.text(),
      isBase64Encoded: false,
    };
  };
}

/** The request, or a refusal. An exception would be a 502 for the sender, and would put the event into the function's log. */
function toRequest(event: LambdaRequest): Request | HttpRefusal {
  if (!isPayload2(event)) return new HttpRefusal(400, 'bad-request', 'the function takes requests of payload format 2.0');
  try {
    return readRequest(event);
  } catch (error) {
    return error instanceof HttpRefusal ? error : new HttpRefusal(400, 'bad-request', 'there is no such request');
  }
}

/** Another trigger of the function, or payload format 1.0, which has its path elsewhere. */
function isPayload2(event: unknown): event is LambdaRequest {
  const { rawPath, requestContext } = (event ?? {}) as {
    rawPath?: unknown;
    requestContext?: { http?: { method?: unknown } | null } | null;
  };
  return typeof rawPath === 'string' && rawPath.startsWith('/') && typeof requestContext?.http?.method === 'string';
}

function readRequest({ rawPath, rawQueryString = '', headers = {}, body, isBase64Encoded, requestContext }: LambdaRequest): Request {
  const {
    stage = '$default',
    http: { method },
  } = requestContext;
  // A stage with a name stands in front of the path.
  const path = stage !== '$default' && rawPath.startsWith(`/${stage}/`) ? rawPath.slice(stage.length + 1) : rawPath;
  const url = urlOfTarget(rawQueryString === '' ? path : `${path}?${rawQueryString}`);
  const sent = new Headers(Object.entries(headers).filter((entry): entry is [string, string] => entry[1] !== undefined));
  if (method === 'GET' || method === 'HEAD' || body === undefined || body === null) return new Request(url, { method, headers: sent });
  // Signatures are over the bytes that were sent.
  return new Request(url, { method, headers: sent, body: Buffer.from(body, isBase64Encoded === true ? 'base64' : 'utf8') });
}

/** The entry: `gateway/lambda.handler`. The first request makes the gateway. */
export const handler: LambdaHandler = createLambdaHandler(gatewayFromEnvironment());
