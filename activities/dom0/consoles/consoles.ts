/** The consoles that a dom0's worker has open: so many at a time, one a guest, none longer than its limits. */
import type { WebSocket } from 'ws';
import type { ConsoleEnd } from '../../../contract/console.ts';
import { GuestflowError } from '../../../contract/errors.ts';
import { READY_FD, type Attached } from '../../../system/attached.ts';
import type { AttachableHost } from '../../../system/host.ts';
import { ToolError } from '../../../system/run.ts';
import type { CommandLine } from '../toolstack/port.ts';
import { connectToGateway, mustHaveGateway, NotTaken } from '../gateway-socket.ts';
import type { StepLog } from '../work.ts';
import { Bridge, type BridgeLimits } from './bridge.ts';

export interface ConsoleLimits extends BridgeLimits {
  /** At a time. */
  readonly most: number;
  /** Until the tool has the console. */
  readonly readyMs: number;
}

const MINUTE_MS = 60_000;

/** What a dom0 allows. A session of the customer's page lasts four hours, too. */
export const CONSOLE_LIMITS: ConsoleLimits = {
  most: 32,
  readyMs: 10_000,
  idleMs: 15 * MINUTE_MS,
  sessionMs: 240 * MINUTE_MS,
  silenceMs: 1.5 * MINUTE_MS,
  bytesPerSecond: 512 * 1_024,
};

export interface ConsolesOptions {
  readonly host: Pick<AttachableHost, 'attach'>;
  /** Origin of the gateway. Default: consoles are refused. */
  readonly gateway?: string | undefined;
  readonly log: StepLog;
  /** Default: `CONSOLE_LIMITS`. */
  readonly limits?: Partial<ConsoleLimits>;
}

/** A console that is to be opened. */
export interface ConsoleRequest {
  readonly id: string;
  readonly guest: string;
  /** By which the gateway knows it. */
  readonly token: string;
  readonly command: CommandLine;
}

export class Consoles {
  private readonly options: ConsolesOptions;
  private readonly limits: ConsoleLimits;
  /** By guest. One that is being opened counts. */
  private readonly open = new Map<string, Promise<Bridge>>();
  private isClosed = false;

  constructor(options: ConsolesOptions) {
    this.options = options;
    this.limits = { ...CONSOLE_LIMITS, ...options.limits };
  }

  /**
   * Where consoles go.
   *
   * @throws GuestflowError HostNotReady when the dom0's settings name no gateway
   */
  mustHaveGateway(): string {
    return mustHaveGateway(this.options.gateway);
  }

  /**
   * Opens a console, and returns when it is connected; from then on it lives by itself. The guest's console of before ends.
   *
   * @throws GuestflowError HostNotReady, Busy, Unreachable
   */
  async attach(request: ConsoleRequest): Promise<void> {
    const gateway = this.mustHaveGateway();
    const { guest } = request;
    // Again after each wait: of several who ask at a time, the last one has it.
    while (this.open.has(guest)) await this.end(guest, 'replaced');
    if (this.isClosed || this.open.size >= this.limits.most)
      throw new GuestflowError('Busy', `this dom0 has ${this.open.size} consoles open, as many as it may`);
    const opening = this.connect(gateway, request);
    const forget = (): boolean => this.open.delete(guest);
    this.open.set(guest, opening);
    opening.then((bridge) => this.watch(request, bridge).finally(forget), forget);
    await opening;
  }

  /** Ends the console of a guest, if it has one open, and returns when it has ended. */
  async end(guest: string, reason: ConsoleEnd): Promise<void> {
    const bridge = await this.open.get(guest)?.catch(() => undefined);
    bridge?.end(reason);
    await bridge?.ended;
  }

  /** Ends all of them, and takes no more. */
  async close(): Promise<void> {
    this.isClosed = true;
    await Promise.all([...this.open.keys()].map((guest) => this.end(guest, 'stopped')));
  }

  private async connect(gateway: string, { id, token, guest, command }: ConsoleRequest): Promise<Bridge> {
    const attached = this.options.host.attach(command.tool, command.args, {
      timeoutMs: this.limits.sessionMs + MINUTE_MS,
      readyFd: READY_FD,
    });
    let socket: WebSocket | undefined;
    try {
      await this.untilReady(attached, guest);
      socket = await connectToGateway(gateway, id, token);
      if (this.isClosed) throw new NotTaken('the worker stops');
      const bridge = new Bridge(socket, attached, this.limits);
      socket.resume();
      return bridge;
    } catch (error) {
      attached.end();
      socket?.terminate();
      if (!(error instanceof NotTaken)) throw error;
      throw new GuestflowError('Unreachable', `the console of ${guest} was not connected to ${gateway}: ${error.message}`, {
        field: 'consoleGateway',
      });
    }
  }

  /** Another that is attached to it, a person's `xl console` say, has a lock on it. */
  private async untilReady(attached: Attached, guest: string): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_resolve, reject) => {
      const { readyMs } = this.limits;
      timer = setTimeout(
        () => reject(new GuestflowError('Busy', `the console of ${guest} was not there within ${readyMs / 1_000} s`)),
        readyMs,
      );
    });
    try {
      await Promise.race([attached.ready, late]);
    } catch (error) {
      if (!(error instanceof ToolError) || error.notFound) throw error;
      throw new GuestflowError('Busy', `the console of ${guest} cannot be had: ${error.message}`);
    } finally {
      clearTimeout(timer);
    }
  }

  /** What is told of a console: whose, for how long, how much. Never what. */
  private async watch({ id, guest }: ConsoleRequest, bridge: Bridge): Promise<void> {
    const began = Date.now();
    const { log } = this.options;
    log.info({ console: id, guest }, 'console opened');
    const outcome = await bridge.ended;
    log.info({ console: id, guest, seconds: Math.round((Date.now() - began) / 1_000), ...outcome }, 'console ended');
  }
}
