/** How a worker turns values and failures into what goes over the wire. */
import { fileURLToPath } from 'node:url';
import type { DataConverter } from '@temporalio/common';
import { createPayloadCodec } from '../client/codec/codec.ts';
import type { Endpoint } from '../client/config.ts';
import type { Logger } from './logger.ts';

/** Module with the failure converter that the codec needs: the SDK takes a path. In the dom0's package it lies beside the program. */
export const FAILURE_CONVERTER = fileURLToPath(new URL('./failure-converter.cjs', import.meta.url));

/** Of a worker at this endpoint. */
export function workerDataConverter({ codecKeys }: Pick<Endpoint, 'codecKeys'>): DataConverter {
  return { payloadCodecs: [createPayloadCodec(codecKeys)], ...(codecKeys.length === 0 ? {} : { failureConverterPath: FAILURE_CONVERTER }) };
}

/** Names the keys of a worker by their ids, which tell two key files apart without telling the keys. */
export function logCodec({ codecKeys: [first, ...others] }: Pick<Endpoint, 'codecKeys'>, logger: Logger): void {
  if (first === undefined) logger.info('payloads are not encrypted: there is no codec key');
  else logger.info({ encrypts: first.id, decrypts: [first, ...others].map(({ id }) => id) }, 'payloads are encrypted');
}
