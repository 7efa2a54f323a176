/** Conditional requests (RFC 9110): what a client has already is not sent again. */
import { createHash } from 'node:crypto';

/** Of an answer's body: another one is another tag. */
export function etagOf(body: string): string {
  return `"${createHash('sha256').update(body).digest('base64url').slice(0, 27)}"`;
}

/** Whether `If-None-Match` names the tag. Proxies that compress make a weak one of it, which counts here. */
export function namesTag(ifNoneMatch: string | null, etag: string): boolean {
  if (ifNoneMatch === null) return false;
  return ifNoneMatch.split(',').some((each) => ['*', etag].includes(each.trim().replace(/^W\//, '')));
}

/** An answer with its tag, or 304 without a body if the client has it. */
export async function tagged(request: Request, response: Response): Promise<Response> {
  if (request.method !== 'GET' || response.status !== 200) return response;
  const body = await response.text();
  const etag = etagOf(body);
  const headers = new Headers(response.headers);
  headers.set('etag', etag);
  // It may be kept by who asked, and is asked for again each time.
  headers.set('cache-control', 'private, no-cache');
  if (!namesTag(request.headers.get('if-none-match'), etag)) return new Response(body, { status: 200, headers });
  headers.delete('content-type');
  return new Response(null, { status: 304, headers });
}
