/** What a gateway is made of: secrets, plans, prices and tokens, from files. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { GuestflowError } from '../contract/errors.ts';
import { loadPlans } from '../order/plans.ts';
import { createCatalogue, loadPrices, type Catalogue } from './webhooks/catalogue.ts';
import { credentialPath, readSecretFile, readSecrets, readWebhookSecrets } from '../system/secrets.ts';
import type { StripePolicy } from './webhooks/stripe/signed-events.ts';
import { parseTokens, type TokenRecord } from './v1/tokens.ts';

/** Where things are. A name without a slash is one of systemd's credentials. */
export interface GatewayFiles {
  readonly stripeSecretFile?: string | undefined;
  readonly signupSecretFile?: string | undefined;
  readonly tokenFile?: string | undefined;
  /** Default: `GUESTFLOW_PLANS`, or the shipped plans. */
  readonly plans?: string | undefined;
  /** Default: none, the names of plans decide. */
  readonly prices?: string | undefined;
  /** Default: `run`. */
  readonly pastDue?: StripePolicy['pastDue'] | undefined;
  /** Whether a guest may be restarted when its plan changes. Default: true. */
  readonly restart?: boolean | undefined;
}

export interface GatewayConfiguration {
  readonly stripeSecrets: readonly string[];
  readonly signupSecrets: readonly string[];
  readonly tokens: readonly TokenRecord[];
  readonly catalogue: Catalogue;
  readonly stripePolicy: StripePolicy;
}

/** Names of the credentials that are looked for when no file is named. */
const CREDENTIALS = { stripeSecretFile: 'stripe-secret', signupSecretFile: 'signup-secret', tokenFile: 'tokens' } as const;

/**
 * Reads everything.
 *
 * @throws GuestflowError InvalidInput; also when there is not a single secret: nobody could be told from anybody
 */
export async function loadConfiguration(files: GatewayFiles, env: NodeJS.ProcessEnv = process.env): Promise<GatewayConfiguration> {
  const pathOf = (key: keyof typeof CREDENTIALS): string | undefined => {
    const directory = env['CREDENTIALS_DIRECTORY'];
    const named = files[key] ?? (directory !== undefined && existsSync(join(directory, CREDENTIALS[key])) ? CREDENTIALS[key] : undefined);
    return named === undefined ? undefined : credentialPath(named, env);
  };
  const [stripeFile, signupFile, tokenFile] = [pathOf('stripeSecretFile'), pathOf('signupSecretFile'), pathOf('tokenFile')];
  if (stripeFile === undefined && signupFile === undefined && tokenFile === undefined) {
    throw new GuestflowError('InvalidInput', 'the gateway has no secret: it could not tell your billing from anybody else', {
      mend: 'give --stripe-secret-file, --signup-secret-file or --token-file, or systemd credentials stripe-secret, signup-secret, tokens',
    });
  }
  const [plans, prices] = await Promise.all([
    loadPlans(files.plans ?? env['GUESTFLOW_PLANS']),
    files.prices === undefined ? new Map<string, string>() : loadPrices(files.prices),
  ]);
  return {
    stripeSecrets: stripeFile === undefined ? [] : await readSecrets(stripeFile, 'stripeSecretFile'),
    signupSecrets: signupFile === undefined ? [] : await readWebhookSecrets(signupFile, 'signupSecretFile'),
    tokens: tokenFile === undefined ? [] : parseTokens(await readSecretFile(tokenFile, 'tokenFile'), tokenFile),
    catalogue: createCatalogue(plans, prices, files.restart ?? true),
    stripePolicy: { pastDue: files.pastDue ?? 'run' },
  };
}
