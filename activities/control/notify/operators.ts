/** Who of the operators is told, and how: the part `operators` of `notify.yaml`. */
import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import type { NoticeChannel } from '../../../contract/watch.ts';
import type { OperatorNotification } from '../../../contract/billing.ts';
import { GuestflowError } from '../../../contract/errors.ts';
import { parseDocument } from '../../../order/document.ts';
import { credentialPath, readSecretFile } from '../../../system/secrets.ts';
import { sendMail, type MailReceiver } from './mail.ts';
import { postSigned } from './messenger.ts';
import { receiverOf, receiverSchema, type ReceiverSettings } from './receiver-settings.ts';
import { mailOf, toldOf } from './words.ts';

/** How operators are told. */
export interface Operators {
  readonly channels: readonly NoticeChannel[];
  /** Milliseconds for which a dom0 may be silent before they are told. */
  readonly silentMs: number;
  /** Tells them by one channel. Throws an ApplicationFailure; Temporal tries again. */
  readonly send: (notification: OperatorNotification) => Promise<string>;
}

export const NO_OPERATORS: Operators = {
  channels: [],
  silentMs: 0,
  send: () => Promise.resolve('nobody wants to be told'),
};

/** An address alone: no name, no comment, no line break. */
const address = z
  .string()
  .max(254)
  .regex(/^[^\s<>()",;:@\\]+@[A-Za-z0-9.-]+$/, 'must be an address, noc@example.org');

const mailSchema = z.strictObject({
  host: z
    .string()
    .max(253)
    .regex(/^[A-Za-z0-9.:-]+$/, 'must be a host name or an address'),
  /** Default: 587, of `tls` 465. */
  port: z.int().min(1).max(65_535).optional(),
  security: z.enum(['starttls', 'tls', 'none']).default('starttls'),
  from: address,
  to: z.array(address).min(1).max(20),
  /** File of user and password, YAML, mode 0600; or the name of one of systemd's credentials. */
  credentialsFile: z.string().min(1).max(500).optional(),
  /** File of certificates that are trusted, PEM. Default: the usual ones. */
  caFile: z.string().min(1).max(500).optional(),
});

export const operatorsSchema = z.strictObject({
  /** Minutes for which a dom0 may be silent. */
  dom0SilentMinutes: z.int().min(1).max(1_440).default(5),
  webhook: receiverSchema.optional(),
  mail: mailSchema.optional(),
});

const loginSchema = z.strictObject({ user: z.string().min(1).max(254), password: z.string().min(1).max(1_000) });

/** Reads what the settings name. @throws GuestflowError InvalidInput */
export async function operatorsOf(
  { dom0SilentMinutes, webhook, mail }: z.infer<typeof operatorsSchema>,
  path: string,
  env: NodeJS.ProcessEnv,
): Promise<Operators> {
  const hook = webhook === undefined ? undefined : await receiverOf(webhook satisfies ReceiverSettings, `${path}: operators.webhook`, env);
  const post = mail === undefined ? undefined : await mailReceiverOf(mail, path, env);
  return {
    channels: [...(post === undefined ? [] : (['mail'] as const)), ...(hook === undefined ? [] : (['webhook'] as const))],
    silentMs: dom0SilentMinutes * 60_000,
    send: async ({ id, type, timestamp, channel, data: { begun, over } }) => {
      if (channel === 'mail' && post !== undefined) return sendMail(post, { id, ...mailOf({ begun, over }) });
      if (channel === 'webhook' && hook !== undefined)
        return postSigned(hook, { id, type, timestamp, data: { begun: begun.map(toldOf), over: over.map(toldOf) } });
      return `nobody wants to be told by ${channel} any more`;
    },
  };
}

async function mailReceiverOf(
  { credentialsFile, caFile, security, port, ...rest }: z.infer<typeof mailSchema>,
  path: string,
  env: NodeJS.ProcessEnv,
): Promise<MailReceiver> {
  if (credentialsFile !== undefined && security === 'none')
    throw new GuestflowError('InvalidInput', `${path}: operators.mail has a password, and security: none would send it in the open`, {
      field: 'security',
      mend: 'security: starttls, or tls',
    });
  const login = credentialsFile === undefined ? undefined : await loginOf(credentialPath(credentialsFile, env));
  const ca =
    caFile === undefined
      ? undefined
      : await readFile(caFile, 'utf8').catch(() => {
          throw new GuestflowError('InvalidInput', `${path}: ${caFile} cannot be read`, { field: 'caFile' });
        });
  return {
    ...rest,
    security,
    port: port ?? (security === 'tls' ? 465 : 587),
    ...(login === undefined ? {} : { login }),
    ...(ca === undefined ? {} : { ca }),
  };
}

async function loginOf(file: string): Promise<NonNullable<MailReceiver['login']>> {
  const raw = parseDocument(await readSecretFile(file, 'credentialsFile'), file);
  const parsed = loginSchema.safeParse(raw);
  // The problems would quote what the file holds.
  if (!parsed.success)
    throw new GuestflowError('InvalidInput', `${file} must hold user and password, and nothing else`, { field: 'credentialsFile' });
  return parsed.data;
}
