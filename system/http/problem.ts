/** Answers; what went wrong as RFC 9457 says it. */

/** A request that is refused, with the answer to it. */
export class HttpRefusal extends Error {
  readonly status: number;
  readonly code: string;
  readonly extra: Readonly<Record<string, unknown>>;
  readonly headers: Readonly<Record<string, string>>;

  /**
   * @param code what kind of problem it is, for programs
   * @param detail for the person who reads it. Nothing of the request's body, signature or token belongs here.
   */
  constructor(
    status: number,
    code: string,
    detail: string,
    extra: Readonly<Record<string, unknown>> = {},
    headers: Readonly<Record<string, string>> = {},
  ) {
    super(detail);
    this.name = 'HttpRefusal';
    this.status = status;
    this.code = code;
    this.extra = extra;
    this.headers = headers;
  }
}

const TITLES: Readonly<Record<number, string>> = {
  400: 'Bad request',
  401: 'Not authenticated',
  403: 'Not allowed',
  404: 'Not found',
  405: 'Method not allowed',
  408: 'Too slow',
  409: 'Conflict',
  413: 'Too large',
  414: 'Too long a path',
  415: 'Unsupported media type',
  417: 'Unknown expectation',
  422: 'Cannot be processed',
  429: 'Too many requests',
  431: 'Too many headers',
  500: 'Defect',
  501: 'Not offered here',
  503: 'Try again later',
};

/** The answer to a request that was refused, as its headers and its body. */
export function problemParts({ status, code, message, extra, headers }: HttpRefusal): {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
} {
  const body = { type: `urn:guestflow:problem:${code}`, title: TITLES[status] ?? 'Problem', status, detail: message, ...extra };
  return {
    headers: { 'content-type': 'application/problem+json', 'cache-control': 'no-store', ...headers },
    body: jsonText(body),
  };
}

/** The answer to a request that was refused. */
export function problemResponse(refusal: HttpRefusal): Response {
  const { headers, body } = problemParts(refusal);
  return new Response(body, { status: refusal.status, headers });
}

/** A body of JSON. */
export function jsonText(body: unknown): string {
  return `${JSON.stringify(body)}\n`;
}

export function jsonResponse(status: number, body: unknown, headers: Readonly<Record<string, string>> = {}): Response {
  return new Response(jsonText(body), {
    status,
    headers: { 'content-type': 'application/json', 'cache-control': 'no-store', ...headers },
  });
}
