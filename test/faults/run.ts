/**
 * The fault matrix: `npm run test:faults [-- --seed N] [--only PATTERN] [--list] [--jobs N]`. Ends with `N cases, N failed`.
 *
 * What it may be trusted for: `docs/testing.md`.
 */
import { parseArgs } from 'node:util';
import { runFaults } from './matrix.ts';

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    only: { type: 'string' },
    list: { type: 'boolean' },
    jobs: { type: 'string' },
    walks: { type: 'string' },
  },
});
// Temporal goes with this process, and so do its files.
for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const)
  process.once(signal, () => {
    process.exit(code);
  });

const number = (text: string | undefined): number | undefined => (text === undefined ? undefined : Number(text));
const [seed, jobs, walks] = [number(values.seed), number(values.jobs), number(values.walks)];
const { failed } = await runFaults({
  say: (line) => {
    process.stdout.write(`${line}\n`);
  },
  isListing: values.list === true,
  ...(seed === undefined ? {} : { seed }),
  ...(values.only === undefined ? {} : { only: values.only }),
  ...(jobs === undefined ? {} : { jobs }),
  ...(walks === undefined ? {} : { walks }),
});
process.exitCode = failed === 0 ? 0 : 1;
