import { createServer } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { freePort } from '../../../system/ports.ts';

async function listening(port: number): Promise<void> {
  const server = createServer();
  onTestFinished(() => void server.close());
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
}

it('a port that is in use is not given, nor one that was promised to somebody else', async () => {
  const port = await freePort(41_200);
  await listening(port);
  const next = await freePort(port);
  expect(next).toBeGreaterThan(port);
  expect(await freePort(port, [next])).toBeGreaterThan(next);
});

it('where none is preferred, one can listen at what is given', async () => {
  await listening(await freePort());
});

it('no port is beyond the last one there is', async () => {
  await expect(freePort(65_535, [65_535])).rejects.toThrow('from 65535 on');
});
