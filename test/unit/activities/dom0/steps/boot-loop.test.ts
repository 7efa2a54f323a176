/** A guest that starts again and again without ever answering. */
import { afterEach, expect, test } from 'vitest';
import type { Host } from '../../../../../system/host.ts';
import { bootGuest } from '../../../../../activities/dom0/steps/boot.ts';
import { fixCfg } from '../../../../../activities/dom0/steps/cfg-fix.ts';
import { ensureGolden } from '../../../../../activities/dom0/images/golden.ts';
import { createImage } from '../../../../../activities/dom0/steps/create-image.ts';
import type { FakeDom0 } from '../../../../../fake/index.ts';
import { fakeDom0, spec, stepEnv } from './support.ts';

let dom0: FakeDom0 | undefined;
afterEach(() => {
  dom0?.close();
});

/** The guest's kernel panics and reboots (`panic=1`): whenever it is called, its domain is another one. */
function restarting(host: Host, name: string): Host {
  let restarts = 0;
  return {
    files: host.files,
    pipeline: (...call) => host.pipeline(...call),
    run: async (tool, args, options) => {
      if (tool === 'ssh') restarts += 1;
      const shift = (id: string, by: number): string => String(Number(id) + by);
      const real = tool === 'xl' && args[0] === 'destroy' ? args.map((word) => (/^\d+$/.test(word) ? shift(word, -restarts) : word)) : args;
      const result = await host.run(tool, real, options);
      if (tool !== 'xl' || args[0] !== 'list') return result;
      const row = new RegExp(`^(${name}\\s+)(\\d+)`, 'm');
      return { ...result, stdout: result.stdout.replace(row, (_row, before: string, id: string) => before + shift(id, restarts)) };
    },
  };
}

test('a guest that restarts again and again is told apart from one that is slow, with its console, long before the time limit', async () => {
  dom0 = await fakeDom0();
  dom0.faults.guestsDoNotBoot = true;
  const host = dom0.host();
  const env = stepEnv(host);
  const guest = spec();
  await ensureGolden(env, { dist: guest.os.dist });
  await createImage(env, { spec: guest });
  await fixCfg(env, { spec: guest, disks: 'image', onCrash: 'destroy' });
  await expect(bootGuest(stepEnv(restarting(host, guest.name)), guest)).rejects.toMatchObject({
    type: 'GuestDidNotAnswer',
    message: expect.stringMatching(/restarted 4 times in \d+ s without answering/) as string,
    details: { console: expect.stringContaining('Linux version') as string },
  });
  expect(dom0.snapshot().domains).toEqual([]);
});
