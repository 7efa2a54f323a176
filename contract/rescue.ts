/** The rescue system of a guest: a small system of guestflow's, started in the guest's place with its disks beside it. Pure. */
import type { RescueAccess } from './guest-requests.ts';
import type { GuestSpec } from './guest.ts';
import { GiB } from './sizes.ts';

/** Bytes of its disk: a golden root file system is made no larger (`activities/dom0/images/golden-place.ts`). */
export const RESCUE_BYTES = 2 * GiB;

/** Its host name begins with it, so that its prompt shows which of the two systems one is in. */
const PREFIX = 'rescue-';
const LONGEST_LABEL = 63;

/** The guest as its rescue system has it: another host name; who may log in, as asked for. */
export function rescueOf(spec: GuestSpec, { sshKeys = spec.access.sshKeys, sealedPassword }: RescueAccess): GuestSpec {
  const [label = spec.name] = (spec.hostname ?? spec.name).split('.');
  return {
    ...spec,
    hostname: `${PREFIX}${label}`.slice(0, LONGEST_LABEL).replace(/-+$/, ''),
    access: { ...spec.access, sshKeys, ...(sealedPassword === undefined ? {} : { sealedPassword }) },
  };
}
