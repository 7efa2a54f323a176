/** Connections that arrive: strangers until they have said what they are for, and those of dom0s that are waited for. */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { WebSocket } from 'ws';
import type { z } from 'zod';
import { closeWith, GREETINGS, greetingOf } from './greeting.ts';

/** Bounds. */
export interface ArrivalLimits {
  /** Connections that have not said what they are for. */
  readonly strangers: number;
  /** How long they may take to, in milliseconds. */
  readonly greetingMs: number;
}

export const ARRIVAL_LIMITS: ArrivalLimits = { strangers: 64, greetingMs: 10_000 };

/** A connection that a dom0 is asked for: its id, and the token by which it is known, once. */
export interface Expected {
  readonly id: string;
  readonly token: string;
}

interface Awaited {
  /** Hash of the token: what is looked at is no secret. */
  readonly hash: Buffer;
  readonly join: (socket: WebSocket) => void;
}

export class Arrivals {
  private readonly limits: ArrivalLimits;
  private readonly awaited = new Map<string, Awaited>();
  private readonly strangers = new Set<WebSocket>();
  private isClosed = false;

  constructor(limits: Partial<ArrivalLimits> = {}) {
    this.limits = { ...ARRIVAL_LIMITS, ...limits };
  }

  /** Whether another connection is taken. */
  hasRoom(): boolean {
    return !this.isClosed && this.strangers.size < this.limits.strangers;
  }

  /** Waits for a connection of a dom0. @param join gets it, greeted and paused */
  expect(join: (socket: WebSocket) => void): Expected {
    const [id, token] = [randomBytes(16), randomBytes(32)].map((bytes) => bytes.toString('base64url')) as [string, string];
    this.awaited.set(id, { hash: hashOf(token), join });
    return { id, token };
  }

  /** Waits for it no longer. @returns whether it had not come */
  forget(id: string): boolean {
    return this.awaited.delete(id);
  }

  /** Takes a dom0's connection, which says first which one it is, and by what. */
  async takeDom0(socket: WebSocket): Promise<void> {
    const greeting = await this.greeted(socket, GREETINGS.dom0);
    if (greeting === undefined) return;
    const awaited = this.awaited.get(greeting.console);
    if (awaited === undefined || !timingSafeEqual(awaited.hash, hashOf(greeting.token))) {
      closeWith(socket, 'ticket');
      return;
    }
    this.awaited.delete(greeting.console);
    awaited.join(socket);
  }

  /** What a connection says that it is for; undefined when it says nothing of this kind: then it is closed. It is paused after it. */
  async greeted<T>(socket: WebSocket, schema: z.ZodType<T>): Promise<T | undefined> {
    socket.on('error', () => socket.terminate());
    this.strangers.add(socket);
    try {
      return await greetingOf(socket, schema, this.limits.greetingMs);
    } finally {
      this.strangers.delete(socket);
    }
  }

  /** Ends those that have not said what they are for, and takes no more. */
  close(): void {
    this.isClosed = true;
    for (const socket of this.strangers) closeWith(socket, 'stopped');
  }
}

function hashOf(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}
