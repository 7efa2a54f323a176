/** What a gateway is made of: secrets, plans, prices and tokens, from files. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { GuestflowError } from '../contract/errors.ts';
import { defined } from '../contract/defined.ts';
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
  /** Where customers reach the customer's page: `https://panel.example.org`. Default: it is off. */
  readonly pageOrigin?: string | undefined;
  /** Its secrets. */
  readonly pageKeyFile?: string | undefined;
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
  /** The customer's page. Undefined: it is off. */
  readonly page?: PageConfiguration | undefined;
}

export interface PageConfiguration {
  /** `https://panel.example.org`, without a path. */
  readonly origin: string;
  /** The first one seals, all of them open. */
  readonly secrets: readonly string[];
}

/** Names of the credentials that are looked for when no file is named. */
const CREDENTIALS = {
  stripeSecretFile: 'stripe-secret',
  signupSecretFile: 'signup-secret',
  tokenFile: 'tokens',
  pageKeyFile: 'page-key',
} as const;

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
  const page = await loadPage(files.pageOrigin, pathOf('pageKeyFile'));
  return {
    ...defined({ page }),
    stripeSecrets: stripeFile === undefined ? [] : await readSecrets(stripeFile, 'stripeSecretFile'),
    signupSecrets: signupFile === undefined ? [] : await readWebhookSecrets(signupFile, 'signupSecretFile'),
    tokens: tokenFile === undefined ? [] : parseTokens(await readSecretFile(tokenFile, 'tokenFile'), tokenFile),
    catalogue: createCatalogue(plans, prices, files.restart ?? true),
    stripePolicy: { pastDue: files.pastDue ?? 'run' },
  };
}

async function loadPage(origin: string | undefined, keyFile: string | undefined): Promise<PageConfiguration | undefined> {
  if (origin === undefined && keyFile === undefined) return undefined;
  if (origin === undefined || keyFile === undefined)
    throw new GuestflowError('InvalidInput', "the customer's page needs an origin and a file of keys, and one of the two is missing", {
      field: origin === undefined ? 'pageOrigin' : 'pageKeyFile',
      mend: 'give --page-origin https://… and --page-key-file FILE (or the systemd credential page-key), or neither',
    });
  const url = URL.canParse(origin) ? new URL(origin) : undefined;
  // Browsers keep the session's cookie over https only; they count the machine itself as safe.
  const isSafe = url?.protocol === 'https:' || (url?.protocol === 'http:' && ['localhost', '127.0.0.1'].includes(url.hostname));
  if (!isSafe || url.origin !== origin)
    throw new GuestflowError('InvalidInput', `pageOrigin "${origin}" is no origin like https://panel.example.org: https, a host, no path`, {
      field: 'pageOrigin',
      value: origin,
    });
  return { origin, secrets: await readSecrets(keyFile, 'pageKeyFile') };
}
