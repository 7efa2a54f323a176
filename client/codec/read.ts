/** Reads payloads that the client does not decode: in descriptions of pending activities, and in events of a history. */
import { defaultPayloadConverter, type Payload, type PayloadCodec } from '@temporalio/common';

/** A failure as it stands in a description or an event. */
export interface RawFailure {
  readonly message?: string | null;
  /** Message and stack trace as a payload, where failures are encrypted. */
  readonly encodedAttributes?: Payload | null;
}

/** The value of a payload; undefined when it cannot be read. */
export async function readPayload(codec: PayloadCodec, payload: Payload): Promise<unknown> {
  try {
    const [plain] = await codec.decode([payload]);
    return plain === undefined ? undefined : defaultPayloadConverter.fromPayload<unknown>(plain);
  } catch {
    return undefined;
  }
}

/** The message of a failure. If it is encrypted with a key that is missing here, a text that says so. */
export async function readFailureMessage(codec: PayloadCodec, { message, encodedAttributes }: RawFailure): Promise<string> {
  if (encodedAttributes === undefined || encodedAttributes === null) return message ?? '';
  try {
    const [plain] = await codec.decode([encodedAttributes]);
    const common: unknown = plain === undefined ? undefined : defaultPayloadConverter.fromPayload<unknown>(plain);
    if (typeof common === 'object' && common !== null && 'message' in common && typeof common.message === 'string') return common.message;
    return message ?? '';
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
