/** reinstall: a new system on a guest's disk, from the golden root file system; the disk of before is kept, as after a restore. */
import { executeChild } from '@temporalio/workflow';
import type { GuestSpec, KeptDisk } from '../../../contract/guest.ts';
import type { OperationRequest, OperationResult, Reinstall } from '../../../contract/guest-requests.ts';
import { defined } from '../../../contract/defined.ts';
import { formatSize } from '../../../contract/sizes.ts';
import type { GoldenOfGuest } from '../../../contract/golden.ts';
import { Operation } from '../../saga/operation.ts';
import { control, dom0Steps } from '../../saga/proxies.ts';
import { declareVersioning } from '../../saga/versioning.ts';
import { refuse, type GuestAtWork } from '../at-work.ts';
import { withKept } from '../rules.ts';
import { exchangeSteps, keptUntil, namesOfExchange, systemOf, whyKept, withGolden, type Exchange } from './exchange.ts';
import { refOf } from './shared.ts';

/**
 * Makes a disk from the golden root file system while the guest goes on, then exchanges the two, and seals the guest again. If the guest does not answer from
 * it, all is undone: it runs from the disk that it had.
 */
export async function reinstallGuest(input: Exchange & { readonly former: GuestSpec }): Promise<GoldenOfGuest> {
  const { spec, former, before } = input;
  const ref = refOf(spec);
  const names = ['reserve', 'golden-root', 'disk', ...namesOfExchange(input), 'seal'];
  const operation = new Operation(`Installing **${spec.name}** on ${spec.dom0} anew`, names);
  const { host, bulk, undo, undoBulk } = dom0Steps(spec.dom0, spec.name, operation.onWaiting);
  return operation.run(async () => {
    await operation.firstStep(
      'reserve',
      () => control.changeReservation(withKept(former, former.size.diskBytes)),
      () => control.changeReservation(former, true),
    );
    const { createdAt, tarball } = await operation.step(
      'golden-root',
      () => bulk.ensureGoldenRoot(spec),
      () => undoBulk.discardHalfGolden({ dist: spec.os.dist, ...defined({ mirror: spec.os.mirror }) }),
    );
    let wasOff = false;
    await operation.step(
      'disk',
      async () => {
        wasOff = (await host.settleDisks(ref)).wasLeft;
        await bulk.dropDisk({ ref, role: 'restored' });
        return bulk.fillReinstalled(spec);
      },
      [() => undoBulk.dropDisk({ ref, role: 'restored' }), async () => (wasOff && before.isRunning ? undo.bootGuest(former) : undefined)],
      ({ bytes }) => formatSize(bytes),
    );
    await exchangeSteps(operation, input, { spare: 'restored' });
    await operation.step(
      'seal',
      () => host.sealGuest(spec),
      [],
      ({ sealed }) => (sealed ? 'the provisioning key is gone' : 'managed: the provisioning key stays'),
    );
    return { dist: spec.os.dist, createdAt, ...defined({ tarball }) };
  });
}

/** The spec with what is asked for. A password that was not asked for anew is the one that the guest got last. */
function installed(from: GuestSpec, { dist, sshKeys, sealedPassword }: Reinstall): GuestSpec {
  return {
    ...from,
    // What it is made from now: rules of that recipe are its own.
    os: { ...from.os, ...defined({ dist }), recipe: 'direct' },
    access: { ...from.access, ...defined({ sshKeys, sealedPassword }) },
  };
}

export async function performReinstall(guest: GuestAtWork, { kind, id, reinstall = {} }: OperationRequest): Promise<OperationResult> {
  const { spec: former, before, state } = guest;
  if (state.kept !== undefined) throw refuse('Busy', whyKept('reinstall', former.name, state.kept));
  const spec = installed(former, reinstall);
  const golden = await guest.runChild(kind, id, (options) =>
    executeChild(reinstallGuest, { ...options, args: [{ spec, former, before, starts: true, isJustMade: true }] }),
  );
  const kept: KeptDisk = {
    role: 'former',
    backup: '',
    takenAt: new Date().toISOString(),
    diskBytes: former.size.diskBytes,
    keptUntil: keptUntil(guest.order),
    system: systemOf(former),
    ...defined({ golden: state.golden }),
  };
  guest.state = withGolden({ ...guest.state, spec, kept }, golden);
  return { ...guest.settlePhase(kind, 'running'), kept };
}

declareVersioning('PINNED', reinstallGuest);
