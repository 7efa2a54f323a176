/** seal: the provisioning key leaves the guest and the dom0; from here on only the customer's keys open the guest. */
import type { GuestSpec } from '../../../contract/types.ts';
import { GuestflowError } from '../../../contract/errors.ts';
import { guestRun } from '../tools/guest-ssh.ts';
import { guestPaths } from '../guest-paths.ts';
import type { StepEnv } from '../step.ts';
import { mustBeUp } from './boot.ts';
import { provisionKeyComment } from './create-image.ts';

/** Run in the guest: takes the line with the comment that comes on standard input out of authorized_keys. */
export const SEAL_SCRIPT = `set -eu
read -r comment
keys=/root/.ssh/authorized_keys
umask 077
grep -v -- " $comment\\$" "$keys" > "$keys.new" || [ $? -eq 1 ]
sync "$keys.new"
mv "$keys.new" "$keys"
`;

/** Seals the guest unless it is managed. */
export async function sealGuest(env: StepEnv, spec: GuestSpec): Promise<{ sealed: boolean }> {
  if (spec.managed) return { sealed: false };
  const { host } = env;
  const paths = guestPaths(env.settings, spec.name);
  const target = { ip: spec.network.ip, keyPath: paths.provisionKey, knownHosts: paths.knownHosts, signal: env.signal };
  if ((await host.files.info(paths.provisionKey)) === undefined) return { sealed: true };
  await mustBeUp(env, spec);
  // Exit 255 is ssh's own: a killed attempt may have sealed the guest already, and its key is refused now.
  const first = await guestRun(host, {
    ...target,
    command: SEAL_SCRIPT,
    input: `${provisionKeyComment(spec)}\n`,
    timeoutMs: 60_000,
    okCodes: [0, 255],
  });
  if (first.code === 255 && !/permission denied/i.test(first.stderr))
    throw new GuestflowError('ToolFailed', `${spec.name} could not be reached to take the provisioning key away: ${first.stderr.trim()}`);
  const again = await guestRun(host, { ...target, command: 'true', timeoutMs: 60_000, okCodes: [0, 255] });
  if (again.code === 0) throw new GuestflowError('ToolFailed', `${spec.name} still takes the provisioning key after it was removed`);
  if (!/permission denied/i.test(again.stderr))
    throw new GuestflowError('ToolFailed', `whether ${spec.name} refuses the provisioning key is unknown: ${again.stderr.trim()}`);
  // The private half last: as long as it is there, the guest counts as not sealed.
  await host.files.remove(`${paths.provisionKey}.pub`);
  await host.files.remove(paths.provisionKey);
  return { sealed: true };
}
