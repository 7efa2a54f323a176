/** What becomes of a guest when its dom0 is lost, or found again. */
import { describe, expect, it } from 'vitest';
import { OPERATION_KINDS } from '../../../../contract/operations.ts';
import type { GuestPhase, GuestSpec } from '../../../../contract/guest.ts';
import {
  dom0Of,
  foundAgain,
  heard,
  isNews,
  livingElsewhere,
  lostFor,
  restoredOn,
  whyLost,
  whyNotElsewhere,
} from '../../../../workflows/guest/lost.ts';
import { ordered, type GuestState } from '../../../../workflows/guest/state.ts';
import { anOrder } from '../../../an-order.ts';

const SINCE = '2026-11-30T04:00:00.000Z';
const spec = { ...anOrder('web1', 'xen1'), network: {} } as unknown as GuestSpec;

function guest(phase: GuestPhase, changes: Partial<GuestState> = {}): GuestState {
  return { ...ordered(anOrder('web1', 'xen1'), SINCE), phase, spec, ...changes };
}

const told = (state: GuestState): GuestState => heard(state, { dom0: 'xen1', since: SINCE });

describe('a guest whose dom0 is lost', () => {
  it.each(['running', 'stopped', 'suspended', 'terminating', 'needs-cleanup'] as const)(
    'is lost from %s, and is that again if it is found',
    (phase) => {
      const state = told(guest(phase));
      expect(isNews(state)).toBe(true);
      const lost = lostFor(state, undefined);
      expect(lost).toMatchObject({ phase: 'lost', lost: { since: SINCE, from: phase } });
      expect(isNews(lost)).toBe(false);
      expect(isNews(told(lost))).toBe(false);
      const found = heard(lost, { dom0: 'xen1' });
      expect(isNews(found)).toBe(true);
      expect(foundAgain(found)).toEqual(guest(phase));
    },
  );

  it('has failed if it was not made yet, and is over if it was gone and only its backups were kept', () => {
    const { spec: _none, ...order } = guest('provisioning');
    expect(lostFor(told(order), 'guest/web1/provision/x')).toMatchObject({
      phase: 'failed',
      leftovers: [],
      error: {
        type: 'Unreachable',
        message: expect.stringContaining('xen1 was declared lost') as string,
        operation: 'guest/web1/provision/x',
      },
    });
    const gone = lostFor(told(guest('gone', { backupsUntil: '2027-01-01T00:00:00.000Z' })), undefined);
    expect(gone.phase).toBe('gone');
    expect(gone).not.toHaveProperty('backupsUntil');
    expect(isNews(gone)).toBe(false);
  });

  it('heeds nothing that is said of another dom0, and is not lost when the word is taken back before it is at rest', () => {
    expect(heard(guest('running'), { dom0: 'xen2', since: SINCE })).toEqual(guest('running'));
    expect(heard(guest('running'), { dom0: 'xen1' })).toEqual(guest('running'));
    expect(heard(guest('gone'), { dom0: 'xen1', since: SINCE })).toEqual(guest('gone'));
    expect(foundAgain(heard(told(guest('running')), { dom0: 'xen1' }))).toEqual(guest('running'));
  });

  it('can only be restored on another dom0, or ended', () => {
    const lost = lostFor(told(guest('running')), undefined);
    const taken = OPERATION_KINDS.filter((kind) => whyLost(kind, lost) === undefined);
    expect(taken).toEqual(['restoreElsewhere', 'terminate']);
    expect(whyLost('backup', lost)).toContain('xen1 was declared lost at 2026-11-30');
    expect(whyLost('backup', guest('running'))).toBeUndefined();
  });
});

describe('a guest that is restored on another dom0', () => {
  const lost = lostFor(told(guest('running', { backups: [{ id: 'b1' }] as never, kept: { role: 'former' } as never })), undefined);
  const made = { spec: { ...spec, dom0: 'xen2' }, backup: { id: 'b1' }, scheduleId: 'nightly/web1', warnings: [] } as never;

  it('has what is made there while that goes on, and no longer when it failed', () => {
    const during = restoredOn(lost, 'xen2');
    expect([dom0Of(lost), dom0Of(during), dom0Of(restoredOn(during, undefined))]).toEqual(['xen1', 'xen2', 'xen1']);
    expect(restoredOn(during, undefined)).toEqual(lost);
  });

  it('lives there, without what the lost dom0 had of it, and a first backup is due', () => {
    const rescue = { since: SINCE, diskBytes: 2 ** 31 };
    const state = livingElsewhere(restoredOn({ ...lost, rescue }, 'xen2'), made, Date.parse(SINCE));
    expect(state).toMatchObject({ dom0: 'xen2', order: lost.order, backups: [], firstBackupAt: expect.any(String) as string });
    for (const key of ['lost', 'kept', 'rescue']) expect(state).not.toHaveProperty(key);
  });

  it('is not taken back by the dom0 that was lost, when that is found', () => {
    const state = { ...livingElsewhere(lost, made, 0), phase: 'running' as const };
    expect(heard(state, { dom0: 'xen1' })).toEqual(state);
    expect(heard(state, { dom0: 'xen1', since: SINCE })).toEqual(state);
  });

  it('must be lost, and not be found meanwhile', () => {
    expect(whyNotElsewhere('restoreElsewhere', lost)).toBeUndefined();
    expect(whyNotElsewhere('restoreElsewhere', guest('running'))).toContain('its dom0 xen1 is not lost');
    expect(whyNotElsewhere('restoreElsewhere', heard(lost, { dom0: 'xen1' }))).toContain('is not lost');
    expect(whyNotElsewhere('start', guest('running'))).toBeUndefined();
  });

  it('does not come back when it was being terminated', () => {
    const ended = lostFor(told(guest('terminating')), undefined);
    expect(whyNotElsewhere('restoreElsewhere', ended)).toContain('it was being terminated');
  });
});
