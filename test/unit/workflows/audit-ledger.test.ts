/** What an audit makes of a ledger. */
import { describe, expect, it } from 'vitest';
import type { Claim } from '../../../activities/control/claims.ts';
import type { Dom0Facts, Dom0State } from '../../../contract/dom0.ts';
import { afterAudit, type Look } from '../../../workflows/capacity/audit-ledger.ts';

const GiB = 2 ** 30;
const NOW = '2026-01-01T01:00:00.000Z';
const LONG_AGO = '2026-01-01T00:00:00.000Z';
const JUST_NOW = '2026-01-01T00:55:00.000Z';
const FACTS: Dom0Facts = {
  host: 'xen1',
  seenAt: NOW,
  xenVersion: '4.17.7',
  memoryBytes: 16 * GiB,
  memoryFreeBytes: 16 * GiB,
  cpus: 4,
  pools: [{ name: 'vg01', sizeBytes: 100 * GiB, freeBytes: 100 * GiB }],
  imageDirFreeBytes: GiB,
  network: { cidr: '192.0.2.0/24', gateway: '192.0.2.1', bridge: 'xenbr0' },
  addresses: [],
  workerVersion: '0.1.0',
  domains: [],
};
const TAKES = { memoryBytes: GiB, vcpus: 1, diskBytes: 10 * GiB, plan: 'small' };

function promised(guest: string, since: string): Dom0State['promised'][number] {
  return { guest, order: 'o', since, ...TAKES };
}

function look(claims: Record<string, Claim>, found: string[] = [], facts = FACTS): Look {
  return {
    facts,
    found: found.map((guest) => ({ guest, order: 'o' })),
    claims: new Map(Object.entries(claims).map(([guest, claim]) => [`${guest} o`, claim])),
  };
}

const NOBODY: Claim = { claimed: false, reason: 'there is no workflow of that name' };
const LIVES: Claim = { claimed: true, reason: 'running', dom0: 'xen1', takes: TAKES };

describe('after an audit', () => {
  it('the machine that is the dom0 is still the one that registered: of two that say so, the other one stays fenced off', () => {
    const before: Dom0State = { host: 'xen1', drained: false, promised: [], facts: { ...FACTS, memoryFreeBytes: 0, machine: 'A' } };
    expect(afterAudit(before, look({}), NOW).state.facts).toEqual({ ...FACTS, machine: 'A' });
  });

  it.each<[string, string, Claim, string[], boolean, boolean]>([
    ['nobody came for', LONG_AGO, NOBODY, [], true, true],
    ['is young', JUST_NOW, NOBODY, [], false, false],
    ['has a guest', LONG_AGO, LIVES, ['web1'], false, false],
    ['has a guest that is still being made', LONG_AGO, { ...LIVES, reason: 'provisioning' }, [], false, false],
    ['has something on the dom0, though no workflow', LONG_AGO, NOBODY, ['web1'], false, false],
    ['is of a guest that lives on another dom0, which keeps its address', LONG_AGO, { ...LIVES, dom0: 'xen2' }, [], true, false],
  ])('a promise that %s', (_what, since, claim, found, isFreed, givesAddressBack) => {
    const { state, audit, free } = afterAudit(
      { host: 'xen1', drained: false, promised: [promised('web1', since)] },
      look({ web1: claim }, found),
      NOW,
    );
    expect(state.promised).toHaveLength(isFreed ? 0 : 1);
    expect(audit.freed).toHaveLength(isFreed ? 1 : 0);
    expect(free).toHaveLength(givesAddressBack ? 1 : 0);
  });

  it('a promise that was made after the look is left alone', () => {
    expect(afterAudit({ host: 'xen1', drained: false, promised: [promised('late', LONG_AGO)] }, look({}), NOW).audit.freed).toEqual([]);
  });

  it('a ledger that was lost is what is there: guests by their workflows, the rest as orphans and by hand', () => {
    const facts = {
      ...FACTS,
      holdings: [
        { what: 'domain old', memoryBytes: GiB, vcpus: 1, diskBytes: 0 },
        { what: 'guest web1', guest: 'web1', order: 'o', ...TAKES },
      ],
    };
    const { state, audit } = afterAudit(
      { host: 'xen1', drained: false, promised: [] },
      look({ web1: LIVES, lost: NOBODY, moved: { ...LIVES, dom0: 'xen2' } }, ['web1', 'lost', 'moved'], facts),
      NOW,
    );
    expect(state.promised).toEqual([promised('web1', NOW)]);
    expect(audit).toEqual({
      at: NOW,
      freed: [],
      adopted: ['web1 of order o'],
      byHand: ['domain old'],
      orphans: [
        { guest: 'lost', order: 'o', reason: NOBODY.reason },
        { guest: 'moved', order: 'o', reason: 'its guest is on dom0 xen2' },
      ],
    });
  });

  it('that could not look, all is as before', () => {
    const before: Dom0State = { host: 'xen1', facts: FACTS, drained: false, promised: [promised('web1', LONG_AGO)] };
    const { state, free } = afterAudit(before, { problem: 'the dom0 is away' }, NOW);
    expect({ ...state, audit: undefined }).toEqual({ ...before, audit: undefined });
    expect(state.audit?.problem).toBe('the dom0 is away');
    expect(free).toEqual([]);
  });
});
