/** A client of QEMU's machine protocol (QMP) over its unix socket: one command at a time, answers matched by id. */
import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { until } from '../system/until.ts';
import { shellQuote } from './ssh.ts';

/** QEMU refused a command. */
export class QmpError extends Error {
  constructor(command: string, reason: string) {
    super(`QEMU refused ${command}: ${reason}`);
    this.name = 'QmpError';
  }
}

interface Answer {
  readonly id?: number;
  readonly return?: unknown;
  readonly error?: { readonly desc?: string };
  readonly QMP?: unknown;
}

/** A connection to a machine. */
export interface Qmp {
  /** Runs one command and returns what it returned. Rejects with `QmpError` when it is refused, with an `Error` when QEMU has gone. */
  execute(command: string, args?: Readonly<Record<string, unknown>>): Promise<unknown>;
  close(): void;
}

/** Connects to the socket and enters command mode. QEMU serves one client at a time: close it soon. */
export async function connectQmp(socketPath: string, timeoutMs = 10_000): Promise<Qmp> {
  const socket: Socket = connect(socketPath);
  const waiting = new Map<number, { command: string; resolve: (value: unknown) => void; reject: (error: Error) => void }>();
  let greet: () => void = () => undefined;
  let fail: (error: Error) => void = () => undefined;
  const greeted = new Promise<void>((resolve, reject) => {
    greet = resolve;
    fail = reject;
  });
  const gone = (why: string): void => {
    const error = new Error(`the connection to QEMU ended: ${why}`);
    fail(error);
    for (const { reject } of waiting.values()) reject(error);
    waiting.clear();
  };
  socket.on('error', (error) => {
    gone(error.message);
  });
  socket.on('close', () => {
    gone('closed');
  });
  const timer = setTimeout(() => {
    socket.destroy(new Error(`no greeting within ${String(timeoutMs / 1000)} s`));
  }, timeoutMs);
  const lines = createInterface({ input: socket });
  // readline passes the socket's errors on; they are handled above.
  lines.on('error', () => undefined);
  lines.on('line', (line) => {
    const answer = JSON.parse(line) as Answer;
    if (answer.QMP !== undefined) greet();
    const request = answer.id === undefined ? undefined : waiting.get(answer.id);
    if (answer.id === undefined || request === undefined) return;
    waiting.delete(answer.id);
    if (answer.error === undefined) request.resolve(answer.return);
    else request.reject(new QmpError(request.command, answer.error.desc ?? 'no reason given'));
  });
  let lastId = 0;
  const execute: Qmp['execute'] = (command, args) =>
    new Promise((resolve, reject) => {
      lastId += 1;
      waiting.set(lastId, { command, resolve, reject });
      socket.write(`${JSON.stringify({ execute: command, id: lastId, ...(args === undefined ? {} : { arguments: args }) })}\n`);
      if (socket.destroyed) gone('closed');
    });
  try {
    await greeted;
    await execute('qmp_capabilities');
  } catch (error) {
    socket.destroy();
    throw error;
  } finally {
    clearTimeout(timer);
  }
  return {
    execute,
    close: () => {
      socket.destroy();
    },
  };
}

/** Connects, hands the connection to `use`, and closes it. */
export async function withQmp<T>(socketPath: string, use: (qmp: Qmp) => Promise<T>): Promise<T> {
  const qmp = await connectQmp(socketPath);
  try {
    return await use(qmp);
  } finally {
    qmp.close();
  }
}

/** The machine's run state: `running`, `paused`, `inmigrate`, `postmigrate`, … */
export async function runState(qmp: Qmp): Promise<string> {
  const answer = (await qmp.execute('query-status')) as { status?: string };
  return answer.status ?? 'unknown';
}

/** Polls until `test` accepts the run state; rejects after `timeoutMs`. */
export async function awaitRunState(qmp: Qmp, test: (state: string) => boolean, timeoutMs: number): Promise<void> {
  let state = '';
  const look = async (): Promise<boolean> => test((state = await runState(qmp)));
  if (!(await until(look, { everyMs: 50, limitMs: timeoutMs })))
    throw new Error(`the machine is still "${state}" after ${timeoutMs / 1000} s`);
}

/**
 * Writes the machine's memory and devices to `file`; the machine must be stopped, and stays so.
 *
 * QEMU reports the end when it has handed over the last byte. The program that packs the memory makes a mark beside the file when it has ended.
 */
export async function migrateTo(qmp: Qmp, file: string, timeoutMs = 120_000): Promise<void> {
  const mark = `${file}.done`;
  await qmp.execute('migrate-set-parameters', { 'max-bandwidth': 2 ** 36 });
  await qmp.execute('migrate', { uri: `exec:zstd -1 -T0 -q -f -o ${shellQuote(file)} && : > ${shellQuote(mark)}` });
  const look = async (): Promise<boolean> => {
    const answer = (await qmp.execute('query-migrate')) as { status?: string; 'error-desc'?: string };
    if (answer.status === 'failed' || answer.status === 'cancelled')
      throw new Error(`the machine's memory could not be saved: ${answer['error-desc'] ?? answer.status}`);
    return answer.status === 'completed' && existsSync(mark);
  };
  if (!(await until(look, { everyMs: 50, limitMs: timeoutMs })))
    throw new Error(`the machine's memory was not saved within ${timeoutMs / 1000} s: is ${path.dirname(file)} full?`);
  await rm(mark);
}
