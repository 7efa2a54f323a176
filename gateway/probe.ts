/** A connection of its own for the question whether Temporal answers: its calls are never repeated, so that none is left over when it is closed. */
import { Client, Connection } from '@temporalio/client';
import type { Endpoint } from '../client/config.ts';

export interface Probe {
  client(): Promise<Client>;
  close(): Promise<void>;
}

/** Connects with the first question. */
export function createProbe(endpoint: () => Promise<Endpoint>): Probe {
  let opening: Promise<Client> | undefined;
  const open = async (): Promise<Client> => {
    const { connection, namespace } = await endpoint();
    return new Client({ connection: Connection.lazy({ ...connection, interceptors: [] }), namespace });
  };
  return {
    client: () =>
      (opening ??= open().catch((error: unknown) => {
        opening = undefined;
        throw error;
      })),
    close: async () => {
      const client = await opening?.catch(() => undefined);
      await client?.connection.close();
    },
  };
}
