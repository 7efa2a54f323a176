/** What a tenant may have made of the files from which dom0 reads how a guest is known. */
import { afterEach, describe, expect, it } from 'vitest';
import { bootGuest, stopGuest } from '../../../../../activities/dom0/steps/boot.ts';
import { recogniseGuest } from '../../../../../activities/dom0/steps/reinstall.ts';
import { sealGuest } from '../../../../../activities/dom0/steps/seal.ts';
import type { FakeDom0 } from '../../../../../fake/index.ts';
import type { Host } from '../../../../../system/host.ts';
import { ToolError } from '../../../../../system/run.ts';
import { closeKnowing, dom0With, spec, stepEnv } from '../steps/support.ts';

let dom0: FakeDom0;
afterEach(() => closeKnowing(dom0));

/** debugfs is ended when it says more than it may, as it does of a file in very many pieces. */
function talkative(host: Host): Host {
  const fields = { code: undefined, stdout: '', stderr: '', timedOut: false, cancelled: false, notFound: false, tooMuch: true };
  return {
    ...host,
    run: (tool, args, options) =>
      tool === 'debugfs' && args.includes('stat /root/.ssh/authorized_keys')
        ? Promise.reject(new ToolError({ tool, args, ...fields, message: 'debugfs said more than it may' }))
        : host.run(tool, args, options),
  };
}

describe('a guest', () => {
  it('is known by its host key, and opened by no key of ours, if debugfs does not come to an end of who may log in', async () => {
    const guest = spec();
    const made = await dom0With(guest);
    ({ dom0 } = made);
    await bootGuest(made.env, guest);
    await sealGuest(made.env, guest);
    await stopGuest(made.env, guest);
    const known = (): string | undefined => dom0.machine.readText('/var/lib/guestflow/guests/guest1/known_hosts');
    const before = known();
    await recogniseGuest(stepEnv(talkative(dom0.host())), { spec: guest });
    expect(known()).toBe(before);
    expect(await made.env.kindOf(guest).isSealed(guest)).toBe(true);
  });
});
