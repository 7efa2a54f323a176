/** The password that a change is to set. */
import { GuestflowError } from '../../../../contract/errors.ts';
import { whyNotPasswordHash } from '../../../../contract/field-checks.ts';
import type { GuestSpec } from '../../../../contract/guest.ts';
import { openPassword } from '../../password-key.ts';
import type { Work } from '../../work.ts';

/** The crypt(5) hash in the spec's box. @throws InvalidInput, which does not repeat it; HostNotReady when the box cannot be opened here */
export async function newPasswordHash(work: Work, spec: GuestSpec): Promise<string> {
  const hash = await openPassword(work, spec);
  if (hash !== undefined && whyNotPasswordHash(hash) === undefined) return hash;
  throw new GuestflowError(
    'InvalidInput',
    hash === undefined ? 'there is no password to set' : 'the password hash is no crypt(5) hash',
    { field: 'passwordHash' },
    false,
  );
}
