/** Which mirror a guest's packages come from. */
import { distributionOf } from '../../../contract/distributions.ts';
import type { Dom0Settings } from '../../../order/dom0-settings.ts';
import type { GuestSpec } from '../../../contract/guest.ts';
import type { Work } from '../work.ts';
import { archiveOf } from './apt-sources.ts';

/** The mirror that the order, its plan or the dom0's settings name; undefined if none: the dom0's own apt sources are used then. */
export function mirrorFor(settings: Dom0Settings, { dist, mirror }: Pick<GuestSpec['os'], 'dist' | 'mirror'>): string | undefined {
  return mirror ?? (distributionOf(dist)?.family === 'ubuntu' ? settings.ubuntuMirror : settings.mirror);
}

/** Where xen-tools and the guest get packages from. xen-tools' own defaults are Debian's, and its hook knows no later release of Ubuntu. */
export async function packagesOf({ host, settings }: Work, spec: GuestSpec): Promise<{ mirror?: string; aptSources?: readonly string[] }> {
  const mirror = mirrorFor(settings, spec.os);
  if (distributionOf(spec.os.dist)?.family !== 'ubuntu') return mirror === undefined ? {} : { mirror };
  const { uri, lines } = await archiveOf(host, spec.os.dist, mirror);
  return { mirror: uri, aptSources: lines };
}
