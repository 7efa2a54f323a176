/** Who is told of guests: a file of the control worker. */
import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { parseDocument } from '../../../order/document.ts';
import { GuestflowError } from '../../../contract/errors.ts';
import { problemsError, problemsOf } from '../../../order/problems.ts';
import type { Receiver } from './messenger.ts';
import { isPublic } from './public-address.ts';
import { credentialPath, readWebhookSecrets } from '../../../system/secrets.ts';

const receiverSchema = z.strictObject({
  /** Where webhooks go. https, unless private addresses are allowed. */
  url: z.url({ protocol: /^https?$/, error: 'must be an address, https://…' }).max(2_000),
  /** File of secrets, or the name of one of systemd's credentials. */
  secretFile: z.string().min(1).max(500),
  /** Addresses that are not public, too: a receiver in one's own network. */
  allowPrivate: z.boolean().default(false),
});

/**
 * Reads `notify.yaml`.
 *
 * @throws GuestflowError InvalidInput
 */
export async function loadReceiver(path: string, env: NodeJS.ProcessEnv = process.env): Promise<Receiver> {
  const bytes = await readFile(path).catch((error: unknown) => {
    throw new GuestflowError(
      'InvalidInput',
      `${path} cannot be read: ${error instanceof Error && 'code' in error ? String(error.code) : 'unknown reason'}`,
      { field: 'notify' },
    );
  });
  const raw = parseDocument(bytes, path);
  const parsed = receiverSchema.safeParse(raw);
  if (!parsed.success) throw problemsError(path, problemsOf(parsed.error, raw, Object.keys(receiverSchema.shape)));
  const { allowPrivate } = parsed.data;
  const url = new URL(parsed.data.url);
  if (url.username !== '' || url.password !== '')
    throw new GuestflowError('InvalidInput', `${path}: url must hold no user name or password`, { field: 'url' });
  if (url.protocol !== 'https:' && !allowPrivate)
    throw new GuestflowError('InvalidInput', `${path}: url must be https: what is told is nobody else's to read`, { field: 'url' });
  const literal = url.hostname.replace(/^\[|\]$/g, '');
  if (/^[\d.]+$|:/.test(literal) && !allowPrivate && !isPublic(literal))
    throw new GuestflowError('InvalidInput', `${path}: ${literal} is no public address`, {
      field: 'url',
      mend: 'allowPrivate: true, if that is meant',
    });
  return { url, allowPrivate, secrets: await readWebhookSecrets(credentialPath(parsed.data.secretFile, env), 'secretFile') };
}
