/** What an order needs from elsewhere: its distribution's archive, the operator's role. */
import { distributionOf } from '../../../contract/distributions.ts';
import { GuestflowError } from '../../../contract/errors.ts';
import type { GuestOrder } from '../../../contract/guest.ts';
import { ensureGuestState, guestPaths } from '../guest-paths.ts';
import { removeMarkedDirectory } from '../staging.ts';
import type { Work } from '../work.ts';
import { archiveOf } from './apt-sources.ts';
import { goldenRecord } from './golden.ts';
import { mustAnswer, mustBeElsewhere } from './mirror-probe.ts';
import { mirrorFor } from './mirrors.ts';
import { requireRole, ROLE_DIRECTORY } from './xen-tools.ts';

/** Whether two mirrors are on one host. */
function isSameHost(one: string, other: string | undefined): boolean {
  return other !== undefined && new URL(one).host === new URL(other).host;
}

/** Refuses an order if something that it must fetch cannot be fetched, before any work begins. What the dom0 already has is not checked. */
export async function mustBeFetchable(work: Work, order: GuestOrder): Promise<void> {
  const { host, settings, signal } = work;
  if (order.os.role !== undefined)
    await requireRole(host, `${ROLE_DIRECTORY}/${order.os.role}`, 'put an executable role there, or leave "role" out of the order');
  if (order.os.mirror !== undefined && ![settings.mirror, settings.ubuntuMirror].some((own) => isSameHost(order.os.mirror ?? '', own)))
    await mustBeElsewhere(host, order.os.mirror, signal);
  if (order.os.installMethod === 'golden' && (await goldenRecord(work, order.os.dist)) !== undefined) return;
  const keyring = distributionOf(order.os.dist)?.keyring;
  if (keyring !== undefined && (await host.files.info(keyring.path)) === undefined)
    throw new GuestflowError(
      'HostNotReady',
      `dist ${order.os.dist} cannot be fetched: this dom0 has no ${keyring.path}, the keys of its archive`,
      {
        field: 'dist',
        value: order.os.dist,
        mend: `apt-get install ${keyring.package} (for Debian 12, which has no ubuntu-keyring, take the file from Debian 13's)`,
      },
      false,
    );
  const { uri } = await archiveOf(host, order.os.dist, mirrorFor(settings, order.os));
  // The file is fetched into the guest's own directory: if the worker is killed, the step's undo removes it.
  const paths = guestPaths(settings, order.name);
  const isNew = (await host.files.info(paths.state)) === undefined;
  await ensureGuestState(work, order);
  try {
    await mustAnswer(host, { uri, dist: order.os.dist, directory: paths.state, signal });
  } finally {
    if (isNew) await removeMarkedDirectory(host.files, paths.state, order);
  }
}
