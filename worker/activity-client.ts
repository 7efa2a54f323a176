/** The client of the worker that runs an activity, for activities that are made before there is a worker. */
import { Context } from '@temporalio/activity';
import type { Client } from '@temporalio/client';

/**
 * Whatever is asked of it is asked of the client of the activity that asks, which has its worker's connection: so a control worker needs only one. Outside of
 * an activity it throws.
 */
export function clientOfTheActivity(): Client {
  const nobody = Object.create(null) as object;
  return new Proxy(nobody, {
    get: (_target, key) => {
      const { client } = Context.current();
      const value: unknown = Reflect.get(client, key, client);
      return typeof value === 'function' ? (value.bind(client) as unknown) : value;
    },
  }) as Client;
}
