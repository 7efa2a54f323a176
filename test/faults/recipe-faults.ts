/**
 * The recipe `direct`: each of its steps fails for good, and is undone; and each fault in each step that does something else there than in the how-to, since the
 * guest has not run yet.
 */
import type { Case } from './case.ts';
import { stepFaultCases, entryName, type Matrix } from './step-faults.ts';

const DIFFERENT = /^step\/\d+ (makeVolumes|fixCfg|bootGuest|dropImage)\//;

/** @param direct the matrix of a tape of that recipe */
export function directCases(direct: Matrix): Case[] {
  const { forward, complaints } = direct.tape;
  const failing = forward.map((_, index): Case => ({
    name: `undone after ${entryName(forward, index)} failed`,
    run: () => Promise.resolve({ end: 'as before', complaints: complaints[index] ?? ['it is not on the tape'] }),
  }));
  const steps = stepFaultCases(direct).filter(({ name }) => DIFFERENT.test(name));
  return [...failing, ...steps].map((each) => ({ ...each, name: `direct/${each.name}` }));
}
