/** A running lab, and what can be done with it. */
import { open, stat } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { defined } from '../contract/defined.ts';
import type { PipelineOptions, PipelineStage, Runner, RunOptions, RunResult } from '../system/run.ts';
import { LabError } from './errors.ts';
import type { Layout } from './layout.ts';
import type { LabRecord } from './record.ts';
import { findMachine } from './record.ts';
import type { Release } from './releases.ts';
import { withQmp } from './qmp.ts';
import { dropLogin, execInDom0, sshArguments } from './ssh.ts';
import { resetMachine } from './start.ts';
import { baseFolder } from './base.ts';

/** How `labUp` came to a running machine. */
export type LabOrigin = 'attached' | 'resumed-kept' | 'booted-kept' | 'resumed' | 'booted';

/** A running lab. */
export interface Lab {
  readonly name: string;
  /** Name that its dom0 worker works under. */
  readonly dom0Name: string;
  /** Debian release of its dom0. */
  readonly release: Release;
  readonly origin: LabOrigin;
  /** Whether the machine is the one of an earlier `labUp`, guests and all. */
  readonly isSameMachine: boolean;
  /** An ssh configuration with `Host dom0`: for `ssh -F`, `Include` and `ProxyJump`. */
  readonly sshConfigFile: string;
  readonly sshPort: number;
  /** Hash of the dom0 worker's package that is installed; undefined when there is none. */
  readonly packageSha256: string | undefined;
  /** Runs a command in dom0; its words arrive as they are. Options and errors are those of the runner; a time limit ends ssh, not the command in dom0. */
  exec(argv: readonly string[], options?: RunOptions): Promise<RunResult>;
  /** Runs a command in dom0 and hands its output over byte by byte as it comes; no standard input. */
  stream(argv: readonly string[], options: PipelineOptions & Pick<PipelineStage, 'onStderr'>): Promise<void>;
  /** Cuts the power and boots again; returns when dom0 answers. */
  reset(): Promise<void>;
  /** The last lines of dom0's serial console. */
  consoleTail(lines?: number): Promise<string>;
  /** Hands over what the console prints from now on, until the signal or the machine's end. */
  followConsole(write: (text: string) => void, signal: AbortSignal): Promise<void>;
  /** Unplugs dom0's network cable (ssh and Temporal), or plugs it in again. */
  setLink(up: boolean): Promise<void>;
  isAlive(): boolean;
}

const TAIL_BYTES = 256 * 1024;
const FOLLOW_MS = 300;

/** The last `lines` lines of a file that may be large. */
export async function tailOfFile(file: string, lines: number): Promise<string> {
  const { size } = await stat(file);
  const handle = await open(file);
  try {
    const length = Math.min(size, TAIL_BYTES);
    const { buffer } = await handle.read(Buffer.alloc(length), 0, length, size - length);
    return buffer
      .toString('utf8')
      .replaceAll('\r', '')
      .split('\n')
      .slice(-lines - 1)
      .join('\n');
  } finally {
    await handle.close();
  }
}

/** The handle of a lab that runs. */
export function labHandle(runner: Runner, layout: Layout, record: LabRecord, origin: LabOrigin): Lab {
  const requireMachine = (): void => {
    if (findMachine(layout) === undefined) throw new LabError('not-running', 'the lab is not running: start it with `guestflow lab up`');
  };
  return {
    name: layout.name,
    dom0Name: record.dom0Name,
    release: record.release,
    origin,
    isSameMachine: origin !== 'resumed' && origin !== 'booted',
    sshConfigFile: layout.sshConfig,
    sshPort: record.sshPort,
    packageSha256: record.packageSha256,
    exec: async (argv, options) => {
      requireMachine();
      return await execInDom0(runner, layout, argv, options);
    },
    stream: async (argv, { onStderr, ...options }) => {
      requireMachine();
      await runner.pipeline([{ tool: 'ssh', args: sshArguments(layout, argv), ...defined({ onStderr }) }], options);
    },
    reset: async () => {
      requireMachine();
      const context = {
        runner,
        layout,
        baseFolder: baseFolder(layout.cache, record.baseKey),
        accel: record.accel,
        sshPort: record.sshPort,
      };
      await resetMachine(context, () => findMachine(layout) !== undefined);
    },
    consoleTail: async (lines = 40) => await tailOfFile(layout.serialLog, lines),
    followConsole: async (write, signal) => {
      let { size: at } = await stat(layout.serialLog);
      while (!signal.aborted && findMachine(layout) !== undefined) {
        const { size } = await stat(layout.serialLog);
        if (size > at) {
          const file = await open(layout.serialLog);
          const { buffer, bytesRead } = await file.read(Buffer.alloc(size - at), 0, size - at, at);
          await file.close();
          write(buffer.toString('utf8', 0, bytesRead).replaceAll('\r', ''));
        }
        at = size;
        await sleep(FOLLOW_MS, undefined, { signal }).catch(() => undefined);
      }
    },
    setLink: async (up) => {
      requireMachine();
      await withQmp(layout.qmpSocket, (qmp) => qmp.execute('set_link', { name: 'nic', up }));
      // A login that was cut would hang for two minutes after the cable is back.
      await dropLogin(runner, layout);
    },
    isAlive: () => findMachine(layout) !== undefined,
  };
}
