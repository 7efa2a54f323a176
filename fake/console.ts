/** `xenconsole` of the fake dom0: a getty's greeting, the echo of what is typed, and a shell that knows `echo`. */
import { PassThrough } from 'node:stream';
import type { Attached } from '../system/attached.ts';
import { ToolError } from '../system/run.ts';
import type { RunnerParts } from './process.ts';
import { matchArgs } from './tool.ts';

const PROGRAM = '/usr/lib/xen-4.17/bin/xenconsole';
const ESCAPE = '\x1d';
/** How often it looks whether its domain is still there, in milliseconds. The real one is told by xenstore. */
const LOOK_MS = 20;

export function attachFakeConsole(
  { machine, plan, life, unknown }: Omit<RunnerParts, 'afterEach'>,
  tool: string,
  args: readonly string[],
): Attached {
  const call = plan.record('process', tool, args);
  const id = Number(matchArgs(args, '<id> --num 0 --type pv --interactive --start-notify-fd 3')?.['id']);
  if (tool !== PROGRAM || Number.isNaN(id)) {
    const line = [tool, ...args].join(' ');
    unknown.push(line);
    throw new Error(`fake dom0: unknown command line: ${line}`);
  }
  const domain = machine.domainById(id);
  const lock = `${machine.options.directory} ${id}`;
  if (domain === undefined) return failed(tool, args, 'Could not read tty from store');
  if (locked.has(lock)) return failed(tool, args, `Could not lock /var/lock/xenconsole.${id}`);
  locked.add(lock);
  const [input, output] = [new PassThrough(), new PassThrough()];
  const shell = createShell(domain.name, (text) => output.write(text));
  let onEnd = (): void => undefined;
  const ended = new Promise<void>((resolve) => {
    onEnd = () => {
      if (!locked.delete(lock)) return;
      clearInterval(timer);
      call.outcome = 'ok';
      output.end();
      resolve();
    };
  });
  const timer = setInterval(() => {
    if (machine.domainById(id) === undefined || life.isDead) onEnd();
  }, LOOK_MS);
  input.on('data', (piece: Buffer) => {
    const text = piece.toString('utf8');
    if (text === ESCAPE) onEnd();
    else if (!shell(text)) input.pause();
  });
  output.on('drain', () => input.resume());
  input.on('end', onEnd);
  return { input, output, ready: Promise.resolve(), ended, end: onEnd };
}

/** Consoles that somebody is attached to: as the real tool, it locks a domain's. */
const locked = new Set<string>();

/** A tool that ends at once. */
function failed(tool: string, args: readonly string[], why: string): Attached {
  const message = `${tool} ended with exit code 11: xenconsole: ${why}: Resource temporarily unavailable`;
  const ready = Promise.reject(
    new ToolError({ tool, args, message, code: 11, stdout: '', stderr: why, timedOut: false, cancelled: false, notFound: false }),
  );
  ready.catch(() => undefined);
  const output = new PassThrough();
  output.end();
  return { input: new PassThrough(), output, ready, ended: Promise.resolve(), end: () => undefined };
}

/** How much `flood` prints: more than all buffers on its way together take. */
const FLOOD = { pieces: 512, bytes: 65_536 } as const;

/**
 * What is typed comes back, as a terminal's line discipline has it. A line that begins with `echo` is answered; `flood` prints 32 MiB.
 *
 * @returns takes what is typed; false when what it prints is not read fast enough
 */
function createShell(name: string, print: (text: string) => boolean): (typed: string) => boolean {
  let line = '';
  const enter = (): boolean => {
    const [command = '', ...words] = line.trim().split(' ');
    line = '';
    print('\r\n');
    if (command === 'echo') print(`${words.join(' ')}\r\n`);
    if (command === 'flood') for (let piece = 0; piece < FLOOD.pieces; piece += 1) print('x'.repeat(FLOOD.bytes));
    return print('# ');
  };
  print(`\r\nDebian GNU/Linux 12 ${name} hvc0\r\n\r\n# `);
  return (typed) => {
    let isRead = true;
    for (const character of typed) {
      if (character !== '\r') line += character;
      isRead = character === '\r' ? enter() : print(character);
    }
    return isRead;
  };
}
