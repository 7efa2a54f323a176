/**
 * The fence of a dom0. If the workers of several machines say that they are the same dom0, only one may act, and the dom0's ledger knows which. A worker
 * asks the ledger before each step: so a machine that was replaced while it was cut off does nothing any more.
 */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from '@temporalio/client';
import { GuestflowError } from '../contract/errors.ts';
import { dom0WorkflowId, QUERIES } from '../contract/names.ts';
import type { Dom0State } from '../contract/dom0.ts';
import { query } from '../client/workflow-calls.ts';

/** How long an answer of the ledger is valid, in milliseconds. */
const ANSWER_HOLDS_MS = 10_000;
/** How long the ledger is waited for. If it does not answer, it cannot have accepted another machine either. */
const ASK_LIMIT_MS = 5_000;

/**
 * Identifies this machine: 16 hexadecimal digits, the same after a reboot. Copies of a machine share `/etc/machine-id` until somebody changes it; the
 * firmware's id, if there is one, tells them apart.
 */
export async function thisMachine(): Promise<string> {
  const read = (path: string): Promise<string> => readFile(path, 'utf8').catch(() => '');
  const parts = [await read('/etc/machine-id'), await read('/sys/class/dmi/id/product_uuid')].map((part) => part.trim());
  const known = parts.some((part) => part !== '') ? parts : [hostname()];
  return createHash('sha256')
    .update(JSON.stringify(['guestflow', ...known]))
    .digest('hex')
    .slice(0, 16);
}

/** Whether this machine may act as the dom0. */
export class Fence {
  private readonly host: string;
  private readonly machine: string;
  private readonly client: Pick<Client, 'workflow'>;
  private readonly onLost: (error: GuestflowError) => void;
  private answeredAt = Number.NEGATIVE_INFINITY;

  /** @param onLost called once another machine is known to have taken this machine's place, or the dom0 was declared lost. */
  constructor(options: {
    readonly host: string;
    readonly machine: string;
    readonly client: Pick<Client, 'workflow'>;
    readonly onLost: (error: GuestflowError) => void;
  }) {
    this.host = options.host;
    this.machine = options.machine;
    this.client = options.client;
    this.onLost = options.onLost;
  }

  /**
   * Resolves when no other machine is registered as the dom0, and that is not lost.
   *
   * @throws GuestflowError `Busy`, retryable: the right worker may take the step's next attempt.
   */
  async mustHold(): Promise<void> {
    if (performance.now() - this.answeredAt < ANSWER_HOLDS_MS) return;
    const { facts, lost } = (await this.askLedger()) ?? {};
    const machine = facts?.machine;
    const isOther = machine !== undefined && machine !== this.machine;
    if (lost !== undefined || isOther) {
      const why = lost === undefined ? `another one (${machine ?? ''}) is registered as it` : `somebody has declared it lost at ${lost}`;
      const error = new GuestflowError(
        'Busy',
        `this machine (${this.machine}) does not act as dom0 ${this.host} any more: ${why}`,
        {},
        true,
      );
      this.onLost(error);
      throw error;
    }
    this.answeredAt = performance.now();
  }

  /** Undefined if it does not answer. */
  private async askLedger(): Promise<Dom0State | undefined> {
    const asked: Promise<Dom0State | undefined> = query(this.client, dom0WorkflowId(this.host), QUERIES.ledger);
    return Promise.race([asked.catch(() => undefined), sleep(ASK_LIMIT_MS, undefined, { ref: false })]);
  }
}
