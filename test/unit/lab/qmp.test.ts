import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { awaitRunState, connectQmp, withQmp } from '../../../lab/qmp.ts';

let folder = '';
let server: Server | undefined;
beforeEach(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), 'qmp-'));
});
afterEach(async () => {
  server?.close();
  await rm(folder, { recursive: true });
});

/** A QEMU that answers each command by `answer`; undefined: it hangs up. */
async function fakeQemu(answer: (command: string) => object | undefined): Promise<string> {
  const socketPath = path.join(folder, 'qmp');
  server = createServer((socket) => {
    socket.write('{"QMP": {"version": {}}}\r\n');
    createInterface({ input: socket })
      .on('line', (line) => {
        const { execute, id } = JSON.parse(line) as { execute: string; id: number };
        const reply = execute === 'qmp_capabilities' ? { return: {} } : answer(execute);
        if (reply === undefined) socket.destroy();
        else socket.write(`{"event": "RESUME"}\r\n${JSON.stringify({ ...reply, id })}\r\n`);
      })
      .on('error', () => undefined);
  });
  await new Promise<void>((resolve) => {
    server?.listen(socketPath, resolve);
  });
  return socketPath;
}

test('a command gets its own answer, whatever events come between', async () => {
  const socketPath = await fakeQemu((command) => ({ return: { status: command } }));
  expect(await withQmp(socketPath, (qmp) => qmp.execute('query-status'))).toEqual({ status: 'query-status' });
});

test("QEMU's own reason is in the error of a refused command", async () => {
  const socketPath = await fakeQemu(() => ({ error: { class: 'GenericError', desc: 'device is locked' } }));
  await expect(withQmp(socketPath, (qmp) => qmp.execute('system_reset'))).rejects.toThrow('QEMU refused system_reset: device is locked');
});

test('a command to a QEMU that dies is an error, not a wait without end', async () => {
  const socketPath = await fakeQemu(() => undefined);
  await expect(withQmp(socketPath, (qmp) => qmp.execute('migrate'))).rejects.toThrow(/connection to QEMU ended/);
});

test('no QEMU is an error', async () => {
  await expect(connectQmp(path.join(folder, 'absent'))).rejects.toThrow(/connection to QEMU ended/);
});

test('a run state is waited for', async () => {
  const states = ['inmigrate', 'inmigrate', 'paused'];
  const socketPath = await fakeQemu(() => ({ return: { status: states.shift() ?? 'paused' } }));
  await withQmp(socketPath, (qmp) => awaitRunState(qmp, (state) => state === 'paused', 10_000));
  expect(states).toEqual([]);
});
