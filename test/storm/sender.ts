/** A sender that means it: so many deliveries at once, and again what was not answered. */
import { request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { EXPECTED, type Delivery, type Kind } from './deliveries.ts';

export interface Sent {
  /** Answers by kind and status, tries that were repeated left out. */
  readonly answers: Map<string, number>;
  /** Milliseconds of each answer that was not 503. */
  readonly latencies: number[];
  /** Tries without an answer: the gateway was dead. */
  unanswered: number;
  /** 503. */
  deferred: number;
  /** Answers of the genuine deliveries of each event. */
  readonly bodies: Map<string, Set<string>>;
}

/** Sends everything. `onProgress` is told after each delivery how many are done. */
export async function sendAll(
  port: number,
  deliveries: readonly Delivery[],
  atOnce: number,
  onProgress: (done: number) => void,
): Promise<Sent> {
  const sent: Sent = { answers: new Map(), latencies: [], unanswered: 0, deferred: 0, bodies: new Map() };
  const queue = [...deliveries];
  const taken = new Set<string>();
  let done = 0;
  const work = async (): Promise<void> => {
    for (let delivery = queue.shift(); delivery !== undefined; delivery = queue.shift()) {
      // Whoever comes first is the genuine one: a body under an id that nobody knows yet is no conflict.
      if (delivery.kind === 'conflict' && !taken.has(delivery.event)) {
        queue.splice(Math.min(queue.length, 200), 0, delivery);
        await sleep(10);
        continue;
      }
      const { status, text } = await persist(port, delivery, sent);
      const key = `${delivery.kind} ${status}`;
      sent.answers.set(key, (sent.answers.get(key) ?? 0) + 1);
      if (delivery.kind === 'genuine') {
        taken.add(delivery.event);
        sent.bodies.set(delivery.event, (sent.bodies.get(delivery.event) ?? new Set()).add(text));
      }
      done += 1;
      onProgress(done);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, work));
  return sent;
}

async function persist(port: number, delivery: Delivery, sent: Sent): Promise<{ status: number; text: string }> {
  for (let pauseMs = 50; ; pauseMs = Math.min(pauseMs * 2, 2_000)) {
    const began = performance.now();
    const answer = await post(port, delivery).catch(() => undefined);
    if (answer === undefined) sent.unanswered += 1;
    else if (answer.status === 503) sent.deferred += 1;
    else {
      sent.latencies.push(performance.now() - began);
      return answer;
    }
    await sleep(pauseMs);
  }
}

function post(port: number, { path, body, sign }: Delivery): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const outgoing = request(
      { port, host: '127.0.0.1', method: 'POST', path, headers: { ...sign(), 'content-length': Buffer.byteLength(body) } },
      (response) => {
        let text = '';
        response
          .setEncoding('utf8')
          .on('data', (part: string) => {
            text += part;
          })
          .once('end', () => resolve({ status: response.statusCode ?? 0, text }))
          .once('error', reject);
        response.once('aborted', () => reject(new Error('cut off')));
      },
    );
    outgoing.once('error', reject).end(body);
  });
}

/** Answers that were none of those that a kind may have. */
export function unexpected(answers: ReadonlyMap<string, number>): string[] {
  return [...answers]
    .filter(([key]) => {
      const [kind, status] = key.split(' ') as [Kind, string];
      return EXPECTED[kind] !== Number(status);
    })
    .map(([key, count]) => `${key}: ${count}`);
}
