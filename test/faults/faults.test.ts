/** The fault matrix as one test; `npm run test:faults` runs the same with names, seeds and one case at a time. */
import { expect, it } from 'vitest';
import { runFaults } from './matrix.ts';

const LIMIT_MS = 15 * 60_000;

it(
  'ends as ordered, as before, or with an exact list of what is left, whatever fails, hangs, dies or is cancelled',
  async () => {
    const said: string[] = [];
    const { cases, failed } = await runFaults({
      say: (line) => {
        said.push(line);
        process.stdout.write(`${line}\n`);
      },
    });
    expect(failed, said.join('\n')).toBe(0);
    expect(cases).toBeGreaterThan(1_000);
  },
  LIMIT_MS,
);
