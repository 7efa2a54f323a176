/** Servers that must not outlive whoever started them. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it, vi } from 'vitest';
import { processStartTime } from '../../../system/run-server.ts';

const RUN_SERVER = fileURLToPath(new URL('../../../system/run-server.ts', import.meta.url));

/** A process that starts a server, says its process id, and waits. */
const STARTER = `
  const { startServer } = await import(${JSON.stringify(RUN_SERVER)});
  const { pid } = await startServer({ command: 'sleep', args: ['600'], logFile: '/dev/null', detached: true, endsWithUs: true });
  console.log(pid);
  setInterval(() => undefined, 1_000);
`;

it.skipIf(!existsSync('/usr/bin/setpriv'))('a server that ends with us is gone when we were killed with SIGKILL', async () => {
  const starter = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '--eval', STARTER], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [said] = (await once(starter.stdout, 'data')) as [Buffer];
  const pid = Number(said.toString());
  // Until it is the server itself, setpriv(1) has not told the kernel yet.
  await vi.waitFor(() => expect(readFileSync(`/proc/${String(pid)}/comm`, 'utf8').trim()).toBe('sleep'), { timeout: 20_000 });
  expect(processStartTime(pid)).toBeDefined();
  starter.kill('SIGKILL');
  await vi.waitFor(
    () => {
      expect(processStartTime(pid)).toBeUndefined();
    },
    { timeout: 20_000 },
  );
});
