/** Where webhooks go, as a file of the control worker says it. */
import { z } from 'zod';
import { GuestflowError } from '../../../contract/errors.ts';
import { credentialPath, readWebhookSecrets } from '../../../system/secrets.ts';
import type { Receiver } from './messenger.ts';
import { isPublic } from './public-address.ts';

export const receiverSchema = z.strictObject({
  /** Where webhooks go. https, unless private addresses are allowed. */
  url: z.url({ protocol: /^https?$/, error: 'must be an address, https://…' }).max(2_000),
  /** File of secrets, or the name of one of systemd's credentials. */
  secretFile: z.string().min(1).max(500),
  /** Addresses that are not public, too: a receiver in one's own network. */
  allowPrivate: z.boolean().default(false),
});

export type ReceiverSettings = z.infer<typeof receiverSchema>;

/** @param path what the settings are called in errors. @throws GuestflowError InvalidInput */
export async function receiverOf(
  { url: text, secretFile, allowPrivate }: ReceiverSettings,
  path: string,
  env: NodeJS.ProcessEnv,
): Promise<Receiver> {
  const url = new URL(text);
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
  return { url, allowPrivate, secrets: await readWebhookSecrets(credentialPath(secretFile, env), 'secretFile') };
}
