/** What the parts of the contract suite have in common. */
import type { Host } from '../../system/host.ts';
import { ToolError } from '../../system/run.ts';

/** A dom0 under test. */
export interface ContractDom0 {
  readonly host: Host;
  readonly vg: string;
  /** A thin pool of that volume group. */
  readonly thinPool: string;
  /** A directory that may be written to. */
  readonly imageDir: string;
  readonly cleanup: () => Promise<void>;
}

/** What each part of the suite works with; `name` makes names that nobody else uses. */
export interface ContractContext extends Omit<ContractDom0, 'cleanup'> {
  readonly name: (what: string) => string;
}

export const MiB = 2 ** 20;

/** The error with which a tool failed; anything else is a failure of the test. */
export async function toolErrorOf(work: Promise<unknown>): Promise<ToolError> {
  try {
    await work;
  } catch (error) {
    if (error instanceof ToolError) return error;
    throw error;
  }
  throw new Error('the tool was expected to fail, and did not');
}
