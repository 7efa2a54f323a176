/** A plan says what a roll-out would do, in its order. */
import { expect, it } from 'vitest';
import { planOf } from '../../../../client/serverless/plan.ts';
import type { Version } from '../../../../client/serverless/versions.ts';

const COMPUTE = { functionArn: 'arn:of:new', roleArn: 'r', externalId: 'e' };
const version = (buildId: string, other: Partial<Version> = {}): Version => ({
  buildId,
  serves: true,
  createdAt: '2026-01-01T00:00:00Z',
  ...other,
});

it('of the first build makes everything', () => {
  expect(planOf({ name: 'guestflow', versions: [] }, 'new', COMPUTE)).toEqual([
    'make the deployment guestflow, unless it is there',
    'make build new, with the function arn:of:new: Temporal asks AWS whether it may invoke it',
    'wait until its worker has polled',
    'make build new current',
  ]);
});

it('of a next one leaves the former one to its operations, and removes what is drained', () => {
  const versions = [
    version('old', { functionArn: 'a' }),
    version('older', { drainage: 'draining' }),
    version('oldest', { drainage: 'drained' }),
  ];
  expect(planOf({ name: 'guestflow', current: 'old', versions }, 'new', COMPUTE).slice(1)).toEqual([
    'wait until its worker has polled',
    'make build new current in place of old, which runs its operations to their end',
    'remove build oldest: it is drained',
  ]);
});

it('says when there is nothing to do, and when it would be refused', () => {
  const there = { name: 'guestflow', current: 'new', versions: [version('new', { functionArn: 'arn:of:new' })] };
  expect(planOf(there, 'new', COMPUTE)).toEqual(['nothing more: build new is current']);
  expect(planOf(there, 'new', { ...COMPUTE, functionArn: 'arn:of:other' })).toEqual([
    'refuse: build new has the function arn:of:new already',
  ]);
});
