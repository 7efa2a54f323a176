import { describe, expect, it } from 'vitest';
import { LEAST_LEFT, LEAST_MEMORY } from '../../../contract/distributions.ts';
import { bytesOfBooks, ruleProblems, type RuledFields } from '../../../contract/order-rules.ts';
import { GiB, MiB } from '../../../contract/sizes.ts';

const FIELDS: RuledFields = { type: 'pv', dist: 'bookworm', installMethod: 'golden', memoryBytes: 256 * MiB, vcpus: 1, recipe: 'how-to' };

function fieldsOf(change: Partial<RuledFields>): string[] {
  return ruleProblems({ ...FIELDS, ...change }).map(({ field }) => field);
}

describe('fields of an order together', () => {
  it('may say nothing of room, or give as much as the memory keeps books of', () => {
    const most = LEAST_MEMORY + (LEAST_MEMORY - LEAST_LEFT) * 50;
    expect(fieldsOf({})).toEqual([]);
    expect(fieldsOf({ memoryBytes: LEAST_MEMORY, maxMemoryBytes: most, maxVcpus: 4 })).toEqual([]);
    expect(fieldsOf({ memoryBytes: LEAST_MEMORY, maxMemoryBytes: most + 50 * MiB })).toEqual(['maxMemory']);
    expect(fieldsOf({ memoryBytes: GiB, maxMemoryBytes: 32 * GiB })).toEqual([]);
    expect(fieldsOf({ memoryBytes: GiB, maxMemoryBytes: 64 * GiB })).toEqual(['maxMemory']);
  });

  it('with too much room are refused with the numbers', () => {
    const [problem] = ruleProblems({ ...FIELDS, maxMemoryBytes: 4 * GiB });
    expect(problem).toMatchObject({ field: 'maxMemory', value: '4 GiB' });
    expect(problem?.reason).toMatch(/leave 179\.\d MiB of 256 MiB of memory, and a guest needs 247 MiB/);
    expect(bytesOfBooks({ memoryBytes: 256 * MiB, maxMemoryBytes: 4 * GiB })).toBe(Math.ceil(((4096 - 256) * MiB) / 50));
  });

  it.each<[string, Partial<RuledFields>, string[]]>([
    ['less room than memory', { maxMemoryBytes: 255 * MiB }, ['maxMemory']],
    ['less room than vcpus', { vcpus: 4, maxVcpus: 3 }, ['maxVcpus']],
    ['room in a pvh guest', { type: 'pvh', maxMemoryBytes: 257 * MiB }, ['type']],
    ['room for vcpus in a pvh guest', { type: 'pvh', maxVcpus: 2 }, ['type']],
    ['debootstrap of what it does not know', { dist: 'noble', installMethod: 'debootstrap' }, ['installMethod']],
    ['debootstrap of what it knows', { dist: 'jammy', installMethod: 'debootstrap' }, []],
    ['a role in what guests share', { recipe: 'direct', role: 'web' }, ['role']],
  ])('%s', (_what, change, fields) => {
    expect(fieldsOf(change)).toEqual(fields);
  });
});
