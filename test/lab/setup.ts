/** One lab for all files of the project: started before the first test, gone after the last. */
import type { TestProject } from 'vitest/node';
import { startRig } from './rig.ts';

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const begun = performance.now();
  const say = (message: string): void => {
    process.stderr.write(`lab: ${message}\n`);
  };
  const { facts, stop } = await startRig(say);
  say(`ready after ${((performance.now() - begun) / 1000).toFixed(0)} s`);
  project.provide('lab', facts);
  return stop;
}
