/** What `guestflow lab …` does. */
import { fstatSync } from 'node:fs';
import { ToolError } from '../system/run.ts';
import { defaultStateDir } from '../client/config.ts';
import { labAttach, labClean, labDown, LabError, labStatus, labUp, type Lab, type LabProgress, type LabStatus } from '../lab/index.ts';
import type { LabPlaceOptions, LabUpOptions } from './commands/lab.ts';
import { printFacts, printJson, printLine, type Io } from './io.ts';
import { InterruptedError } from './report.ts';
import { defined } from '../contract/defined.ts';

const DEFAULT_TEMPORAL_PORT = 7233;

function placeOf(options: LabPlaceOptions): { stateDir: string; name?: string } {
  return { stateDir: options.stateDir ?? defaultStateDir(), ...defined({ name: options.name }) };
}

/** Progress goes to standard error: standard output is the command's result. */
function tell(io: Io): (event: LabProgress) => void {
  return ({ message, seconds }) => {
    io.stderr.write(seconds === undefined ? `${message}\n` : `${message}: ${seconds.toFixed(1)} s\n`);
  };
}

async function workerPackage(): Promise<string> {
  const { buildDom0Package } = await import('../deploy/package.ts');
  return (await buildDom0Package()).file;
}

export async function up(io: Io, options: LabUpOptions): Promise<undefined> {
  const started = performance.now();
  const interrupt = new AbortController();
  const takeBack = io.onInterrupt(() => {
    interrupt.abort();
  });
  let lab: Lab;
  try {
    lab = await labUp({
      ...placeOf(options),
      temporalPort: options.temporalPort ?? DEFAULT_TEMPORAL_PORT,
      keep: options.keep ?? false,
      release: options.release,
      dists: options.dist,
      ...defined({ accel: options.accel }),
      ...(options.worker === false ? {} : { packageFile: workerPackage }),
      onProgress: tell(io),
      signal: interrupt.signal,
    });
  } catch (error) {
    throw interrupt.signal.aborted ? new InterruptedError('interrupted: the lab is not started, and nothing half-made is left') : error;
  } finally {
    takeBack();
  }
  const seconds = Math.round((performance.now() - started) / 100) / 10;
  const { name, release, dom0Name, origin, sshConfigFile, sshPort } = lab;
  if (options.json === true) printJson(io, { name, release, dom0: dom0Name, origin, seconds, sshConfigFile, sshPort });
  else
    printFacts(io, [
      ['lab', `${name} (${release}), ${origin} in ${seconds} s`],
      ['dom0', dom0Name],
      ['log in', `ssh -F ${sshConfigFile} dom0`],
      ['or', 'guestflow lab exec -- xl list'],
    ]);
  return undefined;
}

export async function status(io: Io, options: LabPlaceOptions): Promise<undefined> {
  const found = await labStatus(placeOf(options));
  if (options.json === true) printJson(io, found);
  else printFacts(io, statusFacts(found));
  return undefined;
}

function statusFacts(found: LabStatus): [string, string | undefined][] {
  const states = {
    running: 'running',
    kept: found.saved === true ? 'kept, with its memory: resumes in seconds' : 'kept: boots from its disks',
    absent: 'not there',
  } as const;
  return [
    ['lab', found.name],
    ['state', states[found.state]],
    ['dom0', found.dom0Name],
    ['release', found.release],
    ['guests of', found.dists?.join(', ')],
    ['since', found.startedAt],
    ['log in', found.state === 'running' ? `ssh -F ${String(found.sshConfigFile)} dom0` : undefined],
    ['temporal', found.temporalPort === undefined ? undefined : `127.0.0.1:${found.temporalPort}`],
    ['over "down"', found.keep === undefined ? undefined : found.keep ? 'kept' : 'thrown away'],
  ];
}

/** Whether somebody hands us something on standard input, rather than a terminal or nothing. */
function hasInput(): boolean {
  try {
    const facts = fstatSync(0);
    return facts.isFIFO() || facts.isFile() || facts.isSocket();
  } catch {
    return false;
  }
}

/** The running lab. One that is kept, as `npm start -- --once` leaves it, is resumed for this command and saved again after it. */
async function attachOrResume(io: Io, options: LabPlaceOptions): Promise<{ lab: Lab; release: () => Promise<void> }> {
  const place = placeOf(options);
  const { state, temporalPort } = await labStatus(place);
  if (state !== 'kept') return { lab: await labAttach(place), release: () => Promise.resolve() };
  io.stderr.write('the lab is kept, not running: it is resumed for this command, and saved again after it\n');
  const lab = await labUp({ ...place, temporalPort: temporalPort ?? DEFAULT_TEMPORAL_PORT, keep: true });
  return { lab, release: () => labDown(place, { save: true }) };
}

export async function exec(io: Io, argv: readonly string[], options: LabPlaceOptions): Promise<number> {
  const { lab, release } = await attachOrResume(io, options);
  const interrupt = new AbortController();
  const takeBack = io.onInterrupt(() => {
    interrupt.abort();
  });
  const write = (text: string | Uint8Array, stream: 'stdout' | 'stderr'): void => {
    io[stream].write(text);
  };
  try {
    if (hasInput()) await lab.exec(argv, { input: io.stdin, timeoutMs: 0, signal: interrupt.signal, onOutput: write });
    else
      await lab.stream(argv, {
        timeoutMs: 0,
        signal: interrupt.signal,
        sink: (chunk) => {
          write(chunk, 'stdout');
        },
        onStderr: (text) => {
          write(text, 'stderr');
        },
      });
    return 0;
  } catch (error) {
    if (interrupt.signal.aborted) throw new InterruptedError('interrupted');
    if (!(error instanceof ToolError) || error.code === undefined) throw error;
    if (!lab.isAlive()) throw new LabError('not-running', 'the lab ended meanwhile: start it with `guestflow lab up`');
    return error.code;
  } finally {
    takeBack();
    io.stdin.destroy();
    await release();
  }
}

export async function showConsole(
  io: Io,
  options: LabPlaceOptions & { readonly lines?: number; readonly follow?: true },
): Promise<undefined> {
  const lab = await labAttach(placeOf(options));
  printLine(io, (await lab.consoleTail(options.lines ?? 40)).trimEnd());
  if (options.follow !== true) return undefined;
  const interrupt = new AbortController();
  const takeBack = io.onInterrupt(() => {
    interrupt.abort();
  });
  try {
    await lab.followConsole((text) => {
      io.stdout.write(text);
    }, interrupt.signal);
  } finally {
    takeBack();
  }
  return undefined;
}

export async function down(_io: Io, options: LabPlaceOptions & { readonly save?: true }): Promise<undefined> {
  await labDown(placeOf(options), options.save === true ? { save: true } : {});
  return undefined;
}

export async function clean(_io: Io, options: LabPlaceOptions & { readonly cache?: true }): Promise<undefined> {
  await labClean(placeOf(options), { cache: options.cache === true });
  return undefined;
}
