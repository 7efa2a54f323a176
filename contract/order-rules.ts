/** What one field of an order asks of another: one table for orders, plans, specs and changes of plan. Pure. */
import { distributionOf, LEAST_LEFT } from './distributions.ts';
import { formatSize } from './sizes.ts';

/** One thing that is wrong. `field` is a key of an order. */
export interface RuleProblem {
  readonly field: string;
  readonly value: string;
  /** Follows field and value in a sentence. */
  readonly reason: string;
}

/** The fields that the rules look at, as they are once the plan has filled in what was left out. */
export interface RuledFields {
  readonly type: 'pv' | 'pvh';
  readonly dist: string;
  readonly installMethod: 'golden' | 'debootstrap';
  readonly memoryBytes: number;
  readonly vcpus: number;
  readonly maxMemoryBytes?: number | undefined;
  readonly maxVcpus?: number | undefined;
  readonly recipe: 'how-to' | 'direct';
  readonly role?: string | undefined;
}

/** A kernel keeps books on all the memory that it may ever have: 64 of 4096 bytes for its pages, 16 for Xen's tables; 1/50 with what else grows. */
const BOOKS = 50;

/** Bytes of memory that a guest spends on room that it does not use yet. */
export function bytesOfBooks({ memoryBytes, maxMemoryBytes }: Pick<RuledFields, 'memoryBytes' | 'maxMemoryBytes'>): number {
  return Math.ceil(Math.max(0, (maxMemoryBytes ?? memoryBytes) - memoryBytes) / BOOKS);
}

/** All that is wrong; nothing when the fields go together. */
export function ruleProblems(fields: RuledFields): RuleProblem[] {
  return [...roomProblems(fields), ...methodProblems(fields), ...recipeProblems(fields)];
}

function roomProblems(fields: RuledFields): RuleProblem[] {
  const { type, memoryBytes, vcpus, maxMemoryBytes = memoryBytes, maxVcpus = vcpus } = fields;
  const problems: RuleProblem[] = [];
  const maxMemory = { field: 'maxMemory', value: formatSize(maxMemoryBytes) };
  if (maxMemoryBytes < memoryBytes) problems.push({ ...maxMemory, reason: `is less than the memory, ${formatSize(memoryBytes)}` });
  const left = memoryBytes - bytesOfBooks(fields);
  if (maxMemoryBytes > memoryBytes && left < LEAST_LEFT)
    problems.push({
      ...maxMemory,
      reason: `is too much room: the books on it leave ${formatSize(Math.max(0, left))} of ${formatSize(memoryBytes)} of memory, and a guest needs ${formatSize(LEAST_LEFT)}`,
    });
  if (maxVcpus < vcpus) problems.push({ field: 'maxVcpus', value: String(maxVcpus), reason: `is less than the vcpus, ${vcpus}` });
  if (type !== 'pv' && (maxMemoryBytes > memoryBytes || maxVcpus > vcpus))
    problems.push({ field: 'type', value: type, reason: 'cannot have room to grow (maxMemory, maxVcpus): only pv guests can' });
  return problems;
}

function methodProblems({ dist, installMethod }: RuledFields): RuleProblem[] {
  return installMethod === 'debootstrap' && distributionOf(dist)?.debootstrap === false
    ? [
        {
          field: 'installMethod',
          value: installMethod,
          reason: `is none for ${dist}, which the debootstrap of Debian 12 does not know: leave it out, it is made from the golden tarball`,
        },
      ]
    : [];
}

function recipeProblems({ recipe, role }: RuledFields): RuleProblem[] {
  return recipe === 'direct' && role !== undefined
    ? [
        {
          field: 'role',
          value: role,
          reason: 'cannot be run by the recipe direct, whose guests share what is installed once: leave one of the two out (recipe how-to)',
        },
      ]
    : [];
}
