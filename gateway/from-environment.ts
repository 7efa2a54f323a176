/** A gateway that is put together from the environment: of a function, which has no flags. */
import pino from 'pino';
import { findEndpoint } from '../client/config.ts';
import { loadFunctionSecret } from '../client/function-secret.ts';
import { assembleGateway } from './assemble.ts';
import { loadConfiguration } from './configuration.ts';
import type { Gateway } from './gateway.ts';
import { createLazySession } from './lazy-session.ts';

/**
 * Makes the gateway at the first call; later calls get the same. A failure to make it is not kept.
 *
 * @param env its secret is named by `GUESTFLOW_SECRET_ARN` (reading it changes `env`); its files by `GUESTFLOW_STRIPE_SECRET_FILE`,
 *   `GUESTFLOW_SIGNUP_SECRET_FILE`, `GUESTFLOW_TOKEN_FILE`, `GUESTFLOW_PAGE_KEY_FILE`, `GUESTFLOW_PLANS` and `GUESTFLOW_PRICES`, its customer's page by
 *   `GUESTFLOW_PAGE_ORIGIN`; Temporal by `TEMPORAL_ADDRESS` and what else its clients read.
 */
export function gatewayFromEnvironment(env: NodeJS.ProcessEnv = process.env): () => Promise<Gateway> {
  let assembled: Promise<Gateway> | undefined;
  return () => {
    assembled ??= assembleFrom(env).catch((error: unknown) => {
      assembled = undefined;
      throw error;
    });
    return assembled;
  };
}

async function assembleFrom(env: NodeJS.ProcessEnv): Promise<Gateway> {
  await loadFunctionSecret(env);
  const configuration = await loadConfiguration(
    {
      stripeSecretFile: env['GUESTFLOW_STRIPE_SECRET_FILE'],
      signupSecretFile: env['GUESTFLOW_SIGNUP_SECRET_FILE'],
      tokenFile: env['GUESTFLOW_TOKEN_FILE'],
      pageOrigin: env['GUESTFLOW_PAGE_ORIGIN'],
      pageKeyFile: env['GUESTFLOW_PAGE_KEY_FILE'],
      prices: env['GUESTFLOW_PRICES'],
    },
    env,
  );
  const session = createLazySession(() => findEndpoint());
  return assembleGateway({ configuration, session: () => session.get(), log: pino({ name: 'gateway' }) });
}
