/** Who is told of guests, and which operators of what goes wrong: `notify.yaml`, a file of the control worker. */
import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { parseDocument } from '../../../order/document.ts';
import { GuestflowError } from '../../../contract/errors.ts';
import { problemsError, problemsOf } from '../../../order/problems.ts';
import type { Receiver } from './messenger.ts';
import { NO_OPERATORS, operatorsOf, operatorsSchema, type Operators } from './operators.ts';
import { receiverOf, receiverSchema } from './receiver-settings.ts';

/** Without `url` and `secretFile` no webhooks of guests go out; without `operators` no operator is told. */
const notifySchema = z.strictObject({ ...receiverSchema.shape, operators: operatorsSchema });
const onlyOperators = z.strictObject({ operators: operatorsSchema });
const onlyGuests = receiverSchema;

/** What the file says. */
export interface NotifySettings {
  readonly receiver?: Receiver;
  readonly operators: Operators;
}

/**
 * Reads `notify.yaml`.
 *
 * @throws GuestflowError InvalidInput
 */
export async function loadNotify(path: string, env: NodeJS.ProcessEnv = process.env): Promise<NotifySettings> {
  const bytes = await readFile(path).catch((error: unknown) => {
    throw new GuestflowError(
      'InvalidInput',
      `${path} cannot be read: ${error instanceof Error && 'code' in error ? String(error.code) : 'unknown reason'}`,
      { field: 'notify' },
    );
  });
  const raw = parseDocument(bytes, path);
  const has = (key: string): boolean => typeof raw === 'object' && raw !== null && key in raw;
  const schema: z.ZodType<Partial<z.infer<typeof notifySchema>>> = !has('operators')
    ? onlyGuests
    : has('url') || has('secretFile')
      ? notifySchema
      : onlyOperators;
  const parsed = schema.safeParse(raw);
  if (!parsed.success) throw problemsError(path, problemsOf(parsed.error, raw, Object.keys(notifySchema.shape)));
  const { url, secretFile, allowPrivate = false, operators } = parsed.data;
  return {
    ...(url === undefined || secretFile === undefined ? {} : { receiver: await receiverOf({ url, secretFile, allowPrivate }, path, env) }),
    operators: operators === undefined ? NO_OPERATORS : await operatorsOf(operators, path, env),
  };
}
