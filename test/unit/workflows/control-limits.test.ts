/** No activity of the control queue may hold its slot for long: orders, releases and billing share the slots. */
import { readdirSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';

const FOLDER = new URL('../../../workflows/', import.meta.url).pathname;
const LONGEST_SECONDS = 60;

/** Seconds of a duration as workflow code writes it: `1 minute`, `30 seconds`. */
function secondsOf(text: string): number {
  const [, count, unit = ''] = /^(\d+) (second|minute|hour|day)s?$/.exec(text) ?? [];
  const factor = { second: 1, minute: 60, hour: 3_600, day: 86_400 }[unit];
  if (factor === undefined) throw new Error(`what is "${text}"?`);
  return Number(count) * factor;
}

/** Each proxy's options, as far as they are written beside it; a name in them is looked up in the sources. */
function limitsOf(source: string, all: string): number[] {
  return [...source.matchAll(/proxyActivities<[^(]*>\(([^;]*?)\);/gs)].flatMap(([, options = '']) => {
    const named = [...options.matchAll(/\b[A-Z][A-Z_]+\b/g)].map(
      ([name]) => new RegExp(`const ${name}\\b[^;]*;`, 's').exec(all)?.[0] ?? '',
    );
    const text = [options, ...named].join('\n');
    if (!/CONTROL_QUEUE/.test(text)) return [];
    const [, limit = 'none'] = /startToCloseTimeout: '([^']+)'/.exec(text) ?? [];
    return [secondsOf(limit)];
  });
}

it('each of them ends in a minute at most', () => {
  const sources = readdirSync(FOLDER, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .map((file) => readFileSync(`${FOLDER}${file}`, 'utf8'));
  const limits = sources.flatMap((source) => limitsOf(source, sources.join('\n')));
  // The ones of guests, of audits, of billing and of its webhooks.
  expect(limits.length).toBeGreaterThanOrEqual(4);
  for (const seconds of limits) expect(seconds).toBeLessThanOrEqual(LONGEST_SECONDS);
});
