/** The exchange of a guest's root disk with one that was made beside it, by a restore, a reinstall, or the undo of either. */
import type { GoldenOfGuest } from '../../../contract/golden.ts';
import type { GuestOrder, GuestSpec, KeptDisk, SpareRole, SystemOfDisk } from '../../../contract/guest.ts';
import { keptDays } from '../../../contract/kept-days.ts';
import { defined } from '../../../contract/defined.ts';
import type { Operation } from '../../saga/operation.ts';
import { dom0Steps } from '../../saga/proxies.ts';
import type { GuestState } from '../state.ts';
import { startSteps, switchOffSteps } from './power.ts';
import { daysFromNow, OFF, refOf, type Before } from './shared.ts';

/** Until when the disk of before is kept. */
export function keptUntil({ life }: GuestOrder): string {
  return daysFromNow(keptDays(life));
}

/** What a spec says of the system on the guest's disk. */
export function systemOf({ os, access, hostname }: GuestSpec): SystemOfDisk {
  return { os, access, ...defined({ hostname }) };
}

/** A guest whose system was made of this golden image. @param golden undefined, or null from Temporal: it is not known */
export function withGolden({ golden: _former, ...state }: GuestState, golden: GoldenOfGuest | undefined | null): GuestState {
  return { ...state, ...defined({ golden: golden ?? undefined }) };
}

/** The spec of a guest that has a disk with another system. */
export function withSystem({ hostname: _former, ...spec }: GuestSpec, system: SystemOfDisk): GuestSpec {
  return { ...spec, ...system };
}

/** Why there cannot be another spare disk, in words. */
export function whyKept(kind: 'restore' | 'reinstall', guest: string, { role, backup, system, keptUntil: until }: KeptDisk): string {
  const by = system === undefined ? `the restore of backup ${backup}` : 'its reinstall';
  const which =
    role === 'former' ? `its disk of before ${by} is kept until ${until}; "undo-restore" brings it back` : `a disk is kept until ${until}`;
  return `${kind} of ${guest} is refused: ${which}, "keep-restored" gives it up`;
}

/** What an exchange begins with. */
export interface Exchange {
  /** What the guest is afterwards. */
  readonly spec: GuestSpec;
  /** What it was before. Default: the same. */
  readonly former?: GuestSpec;
  readonly before: Before;
  /** It runs afterwards, even if it did not before. Default: only if it did. */
  readonly starts?: true;
  /** The spare disk was just made by guestflow, and no tenant has written to it. Default: one has. */
  readonly isJustMade?: true;
}

/** Stops the guest, puts the spare disk in the place of its root disk, and starts it again, if it ran. */
export async function exchangeSteps(
  operation: Operation,
  { spec, former = spec, before, starts, isJustMade }: Exchange,
  { spare, smaller }: { readonly spare: SpareRole; readonly smaller?: number },
): Promise<void> {
  const ref = refOf(spec);
  const { host, bulk, undo, undoBulk } = dom0Steps(spec.dom0, spec.name, operation.onWaiting);
  // It must not start with its dom0 from half of an exchange.
  if (before.isRunning) await switchOffSteps(operation, former, before, 'stop', 'autostart-off');
  else
    await operation.step(
      'stop',
      () => host.stopGuest(ref),
      [],
      ({ how }) => how,
    );
  await operation.step(
    'exchange',
    async () => {
      await host.exchangeDisks({ ref, spare });
      return host.recogniseGuest({ spec, ...defined({ isJustMade }) });
    },
    async () => {
      await undo.exchangeDisks({ ref, spare: spare === 'restored' ? 'former' : 'restored' });
      return undo.recogniseGuest({ spec: former });
    },
  );
  if (smaller !== undefined)
    await operation.step(
      'grow',
      () => bulk.growDisk({ ref, bytes: spec.size.diskBytes }),
      () => undoBulk.shrinkDisk({ ref, bytes: smaller }),
    );
  if (before.isRunning || starts === true) await startSteps(operation, spec, OFF);
}

export function namesOfExchange({ before: { isRunning }, starts }: Pick<Exchange, 'before' | 'starts'>, isSmaller = false): string[] {
  return [
    ...(isRunning ? ['autostart-off'] : []),
    ...['stop', 'exchange', ...(isSmaller ? ['grow'] : [])],
    ...(isRunning || starts === true ? ['start', 'autostart'] : []),
  ];
}
