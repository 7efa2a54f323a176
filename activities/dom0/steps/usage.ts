/** What a guest has used, and what it has now. Changes nothing. */
import { defined } from '../../../contract/defined.ts';
import { MiB } from '../../../contract/sizes.ts';
import type { GuestRef } from '../../../contract/guest.ts';
import type { GuestUsage } from '../../../contract/usage.ts';
import type { StepEnv } from '../env.ts';
import { isOwner } from '../marks.ts';
import { monthsUntil } from '../traffic/account.ts';
import { accountNow } from '../traffic/count.ts';

/** Its traffic up to now, and what its disks and its domain take. Of a guest that has nothing on this dom0: zeros. */
export async function lookAtUsage(env: StepEnv, ref: GuestRef): Promise<GuestUsage> {
  const { toolstack, storage } = env;
  const isOurs = isOwner((await toolstack.readCfg(ref.name))?.owner, ref);
  const domain = isOurs ? await toolstack.find(ref.name) : undefined;
  const account = await accountNow(env, ref, domain);
  const disks = (await storage.list()).filter(({ owner }) => isOwner(owner, ref));
  return {
    ...defined({ since: account?.since }),
    months: account === undefined ? [] : monthsUntil(account, new Date()),
    diskBytes: disks.reduce((sum, { bytes }) => sum + bytes, 0),
    memoryBytes: (domain?.memoryMiB ?? 0) * MiB,
    vcpus: domain?.vcpus ?? 0,
  };
}
