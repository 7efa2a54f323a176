/** What plans say of a guest's life: room to grow, and what a change to one means. */
import { describe, expect, it } from 'vitest';
import { checkOrder } from '../../../order/order.ts';
import { parsePlans, planChange } from '../../../order/plans.ts';

const GiB = 2 ** 30;

function plans(more: string): ReturnType<typeof parsePlans> {
  return parsePlans(Buffer.from(`roomy: { memory: 1GiB, vcpus: 2, disk: 8GiB, swap: 512MiB${more} }\n`), 'plans.yaml');
}

describe('a rate', () => {
  it('is in an order by its plan, and in a change to the plan; a plan without one has none', () => {
    const limited = plans(', rate: 100Mb/s');
    expect(checkOrder({ name: 'web1' }, { plans: limited })).toMatchObject({ size: { rate: '100Mb/s' } });
    expect(planChange('roomy', limited.get('roomy')!, true)).toMatchObject({ rate: '100Mb/s' });
    expect(checkOrder({ name: 'web1' }, { plans: plans('') })).not.toHaveProperty('size.rate');
    expect(planChange('roomy', plans('').get('roomy')!, true)).not.toHaveProperty('rate');
  });

  it('is the plan’s, not the order’s', () => {
    expect(() => checkOrder({ name: 'web1', rate: '1Gb/s' }, { plans: plans('') })).toThrow(/rate/);
  });
});

describe('room to grow', () => {
  const roomy = plans(', maxMemory: 4GiB, maxVcpus: 8');

  it('is in an order by the plan, and in a change to the plan', () => {
    expect(checkOrder({ name: 'web1', plan: 'roomy' }, { plans: roomy })).toMatchObject({
      size: { maxMemoryBytes: 4 * GiB, maxVcpus: 8 },
    });
    const plan = roomy.get('roomy');
    expect(plan === undefined ? undefined : planChange('roomy', plan, false)).toEqual({
      plan: 'roomy',
      memoryBytes: GiB,
      vcpus: 2,
      maxMemoryBytes: 4 * GiB,
      maxVcpus: 8,
      diskBytes: 8 * GiB,
      mayRestart: false,
    });
  });

  it('is none for an order that is as large already, and for a plan that says nothing', () => {
    const large = checkOrder({ name: 'web1', plan: 'roomy', memory: '4GiB', vcpus: 16 }, { plans: roomy });
    expect([large.size.maxMemoryBytes, large.size.maxVcpus]).toEqual([undefined, undefined]);
    expect(checkOrder({ name: 'web1' }, { plans: plans('') })).not.toHaveProperty('size.maxMemoryBytes');
  });

  it('that is less than the plan itself is refused, with both sizes', () => {
    expect(() => plans(', maxMemory: 512MiB, maxVcpus: 1')).toThrow(
      /roomy\.maxMemory.*512 MiB.*is less than the memory, 1 GiB[^]*roomy\.maxVcpus.*is less than the vcpus, 2/,
    );
  });
});
