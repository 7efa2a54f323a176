/** Reads the body of an untrusted request, with bounds on bytes and time. It must be text, and not compressed. */
import { HttpRefusal } from './problem.ts';

export interface BodyLimits {
  /** Most bytes of a body. */
  readonly bytes: number;
  /** Milliseconds for all of it. */
  readonly ms: number;
}

/**
 * The text of a JSON body, as it came.
 *
 * @throws HttpRefusal 415 for another media type or a compressed body, 413, 408, 400 when it is no UTF-8
 */
export async function readJsonText(request: Request, limits: BodyLimits): Promise<string> {
  mustBePlainJson(request.headers);
  const announced = request.headers.get('content-length');
  if (announced !== null && Number(announced) > limits.bytes) throw tooLarge(limits);
  return decode(await readBounded(request.body, limits));
}

/**
 * Like `readJsonText`, for a request that may have no body: it returns undefined then. A body without a media type is refused, not ignored.
 *
 * @throws HttpRefusal as `readJsonText`
 */
export async function readOptionalJsonText(request: Request, limits: BodyLimits): Promise<string | undefined> {
  if (request.headers.get('content-type') === null && (await readBounded(request.body, limits)).byteLength === 0) return undefined;
  const text = await readJsonText(request, limits);
  return text === '' ? undefined : text;
}

/**
 * The fields of an HTML form, each once.
 *
 * @throws HttpRefusal as `readJsonText`; 400 when a field stands twice
 */
export async function readForm(request: Request, limits: BodyLimits): Promise<ReadonlyMap<string, string>> {
  if (!/^application\/x-www-form-urlencoded(\s*;\s*charset="?utf-8"?)?\s*$/i.test(request.headers.get('content-type') ?? ''))
    throw new HttpRefusal(415, 'media-type', 'the body must be a form, application/x-www-form-urlencoded');
  mustBePlain(request.headers);
  const fields = [...new URLSearchParams(decode(await readBounded(request.body, limits)))];
  const form = new Map(fields);
  if (form.size < fields.length) throw new HttpRefusal(400, 'bad-form', 'a field stands twice in the form');
  return form;
}

function mustBePlainJson(headers: Headers): void {
  const type = headers.get('content-type') ?? '';
  if (!/^application\/json(\s*;\s*charset="?utf-8"?)?\s*$/i.test(type))
    throw new HttpRefusal(415, 'media-type', 'the body must be application/json in UTF-8', {}, { accept: 'application/json' });
  mustBePlain(headers);
}

function mustBePlain(headers: Headers): void {
  // A compressed body that is small on the wire may be large in memory.
  const coding = headers.get('content-encoding') ?? 'identity';
  if (coding.trim().toLowerCase() !== 'identity')
    throw new HttpRefusal(415, 'content-encoding', 'a compressed body is not taken', {}, { 'accept-encoding': 'identity' });
}

async function readBounded(body: ReadableStream<Uint8Array> | null, limits: BodyLimits): Promise<Buffer> {
  if (body === null) return Buffer.alloc(0);
  const reader = body.getReader();
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(
      () => reject(new HttpRefusal(408, 'slow', `the body did not come within ${limits.ms / 1_000} s`, {}, { connection: 'close' })),
      limits.ms,
    );
  });
  try {
    return await Promise.race([collect(reader, limits), late]);
  } catch (error) {
    // Ends the transfer. The sender may be gone already.
    void reader.cancel().catch(() => undefined);
    throw error instanceof HttpRefusal ? error : new HttpRefusal(400, 'incomplete', 'the body ended too early');
  } finally {
    clearTimeout(timer);
  }
}

async function collect(reader: ReadableStreamDefaultReader<Uint8Array>, limits: BodyLimits): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return Buffer.concat(chunks);
    length += value.byteLength;
    if (length > limits.bytes) throw tooLarge(limits);
    chunks.push(value);
  }
}

function tooLarge({ bytes }: BodyLimits): HttpRefusal {
  return new HttpRefusal(413, 'too-large', `the body is longer than ${bytes} bytes`, {}, { connection: 'close' });
}

function decode(bytes: Uint8Array): string {
  try {
    // A byte order mark stays: it is part of what was signed, and no JSON.
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new HttpRefusal(400, 'not-utf-8', 'the body is no UTF-8');
  }
}
