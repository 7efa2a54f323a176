/** What a backup host removes. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { goingOf, type Kept } from '../../../../../activities/dom0/backup/remote/keep.ts';
import type { FoundBackup } from '../../../../../activities/dom0/backup/repositories/reading.ts';
import type { Proof } from '../../../../../contract/backup.ts';
import { going, retain } from '../../../../../workflows/backups/retention.ts';
import { storedBackup } from '../../../../a-backup.ts';

const NOW = new Date('2026-12-31T00:00:00Z');

const proofs = fc.option(
  fc
    .constantFrom('proven' as const, 'unusable' as const, 'silent' as const)
    .map((outcome): Proof => ({ at: NOW.toISOString(), seconds: 1, outcome, what: '' })),
  { nil: undefined },
);
const nights = fc.array(
  fc.record({ day: fc.integer({ min: 1, max: 28 }), hour: fc.integer({ min: 0, max: 23 }), isVerified: fc.boolean(), proof: proofs }),
  {
    minLength: 1,
    maxLength: 12,
  },
);

it('follows from what came and when, whatever the dom0 says of proofs', () => {
  const retention = { daily: 3, weekly: 2 };
  const gone = (backups: readonly FoundBackup[]): string[] => {
    const here = { whole: new Map(backups.map((backup) => [backup.id, backup])), damaged: new Map(), arrivals: new Map() };
    const byArrival = (kept: readonly Kept[]): string[] =>
      going(
        retain(
          kept.map((backup) => ({ ...backup, takenAt: backup.arrivedAt })),
          retention,
          'UTC',
        ),
      );
    return (goingOf(here, byArrival, NOW) ?? []).map(({ id }) => id);
  };
  fc.assert(
    fc.property(nights, (all) => {
      const ofDays = new Map(
        all.map((night) => [`202612${String(night.day).padStart(2, '0')}T${String(night.hour).padStart(2, '0')}0000Z`, night]),
      );
      const backups = [...ofDays].map(([id, { isVerified, proof }]): FoundBackup => {
        const at = id.replace(/^(....)(..)(..)T(..)(..)(..)Z$/, '$1-$2-$3T$4:$5:$6.000Z');
        const recordState = isVerified ? 'verified' : 'taken';
        const said = proof === undefined || proof.outcome === 'silent' ? recordState : proof.outcome;
        return {
          ...storedBackup('web1', id),
          path: '',
          recordSha256: '',
          recordState,
          arrivedAt: at,
          state: said,
          ...(proof === undefined ? {} : { proof }),
        };
      });
      const unproven = backups.map(({ proof: _said, ...backup }): FoundBackup => ({ ...backup, state: backup.recordState }));
      expect(gone(backups)).toEqual(gone(unproven));
    }),
  );
});
