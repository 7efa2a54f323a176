import pino from 'pino';
import { describe, expect, it } from 'vitest';
import { connectWithRetry } from '../../../worker/connect.ts';
import { freePort } from '../../../system/ports.ts';

const lines: string[] = [];
const logger = pino({ level: 'warn' }, { write: (line: string) => lines.push(line) });

async function nowhere(): Promise<Parameters<typeof connectWithRetry>[0]> {
  const address = `127.0.0.1:${String(await freePort(27_233))}`;
  return { address, namespace: 'default', source: 'a test', connection: { address }, codecKeys: [] };
}

describe('the first connect', () => {
  it('gives up when told to, saying where Temporal was looked for and why it failed', async () => {
    const endpoint = await nowhere();
    const connecting = connectWithRetry(endpoint, { signal: new AbortController().signal, logger, giveUpAfterMs: 600 });
    await expect(connecting).rejects.toMatchObject({
      type: 'Unreachable',
      message: expect.stringMatching(`${endpoint.address} cannot be reached: Connection refused`) as string,
      details: { mend: expect.stringContaining('a test') as string },
    });
    expect(lines.join('')).toMatch(/trying again/);
  });

  it('ends quietly when it is stopped', async () => {
    const stop = new AbortController();
    const connecting = connectWithRetry(await nowhere(), { signal: stop.signal, logger });
    stop.abort();
    expect(await connecting).toBeUndefined();
  });
});
