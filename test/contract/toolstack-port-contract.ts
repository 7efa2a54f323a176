/** What every toolstack driver promises its steps, as far as no guest is started for it. */
import { afterEach, describe, expect, test } from 'vitest';
import type { StepEnv } from '../../activities/dom0/env.ts';
import { cfgHeader, type Ref } from '../../activities/dom0/marks.ts';
import type { ContractContext } from './contract-context.ts';
import { portsOf } from './port-env.ts';

/** Ids count up from 1: no dom0 of a test gets there. */
const NOBODY = 30_000;

export function describeToolstackPortContract(context: () => ContractContext): void {
  describe('toolstack', () => {
    const made: string[] = [];
    const newGuest = (what: string): { env: StepEnv; ref: Ref; text: string } => {
      const name = context().name(what);
      made.push(name);
      const ref = { name, order: `order-${name}` };
      return { env: portsOf(context()), ref, text: `${cfgHeader({ guest: ref.name, order: ref.order })}\nname = "${name}"\n` };
    };
    afterEach(async () => {
      const { toolstack } = portsOf(context());
      for (const name of made.splice(0)) await toolstack.removeCfg(name);
    });

    test('dom0 runs, a domain that is not there is not found, and is gone at once', async () => {
      const { env, ref } = newGuest('nobody');
      expect((await env.toolstack.domains()).find(({ id }) => id === 0)?.state).toBe('running');
      expect(await env.toolstack.find(ref.name)).toBeUndefined();
      expect(await env.toolstack.findOwn(ref)).toBeUndefined();
      await env.toolstack.mustBeOff(ref.name);
      expect(await env.toolstack.awaitGone(ref.name, 1_000)).toBe(true);
      expect(await env.toolstack.console(ref.name)).toBe('');
      expect(await env.toolstack.howEnded(ref.name)).toBeUndefined();
    });

    test('a domain that is not there was not asked to shut down, and has no vcpus and no traffic', async () => {
      const { toolstack } = portsOf(context());
      expect(await toolstack.askToShutDown(NOBODY)).toBe(false);
      expect(await toolstack.vcpus(NOBODY)).toEqual({ room: 0, online: 0 });
      expect(await toolstack.traffic(NOBODY)).toEqual({});
    });

    test('a cfg is read as it was placed, with its owner, is among all cfgs, and goes twice as well as once', async () => {
      const { env, ref, text } = newGuest('cfg');
      const { toolstack } = env;
      expect(await toolstack.readCfg(ref.name)).toBeUndefined();
      await toolstack.placeCfg(ref.name, Buffer.from(text));
      const there = await toolstack.readCfg(ref.name);
      expect(there?.owner).toEqual({ guest: ref.name, order: ref.order });
      expect(String(there?.bytes)).toBe(text);
      expect((await toolstack.cfgs()).map(({ path }) => path)).toContain(toolstack.cfgPath(ref.name));
      await toolstack.removeCfg(ref.name);
      await toolstack.removeCfg(ref.name);
      expect(await toolstack.readCfg(ref.name)).toBeUndefined();
    });

    test('a guest is made to start with its dom0 once, and no longer; another order’s undo changes nothing', async () => {
      const { env, ref, text } = newGuest('auto');
      const { toolstack } = env;
      await toolstack.placeCfg(ref.name, Buffer.from(text));
      const link = await toolstack.enableAutostart(ref.name);
      expect(await toolstack.enableAutostart(ref.name)).toBe(link);
      await toolstack.disableAutostart({ ...ref, order: 'another' });
      expect(await toolstack.hasAutostart(ref.name)).toBe(true);
      await toolstack.disableAutostart(ref);
      await toolstack.disableAutostart(ref);
      expect(await toolstack.hasAutostart(ref.name)).toBe(false);
    });

    test('what stands in the place of a guest’s link is left alone', async () => {
      const { env, ref, text } = newGuest('taken');
      const { toolstack, host } = env;
      await toolstack.placeCfg(ref.name, Buffer.from(text));
      const link = await toolstack.enableAutostart(ref.name);
      await toolstack.disableAutostart(ref);
      await host.files.symlink('/etc/xen/somebody-else.cfg', link);
      try {
        await expect(toolstack.enableAutostart(ref.name)).rejects.toMatchObject({ type: 'NotOurs' });
        await toolstack.disableAutostart(ref);
        expect(await host.files.readLink(link)).toBe('/etc/xen/somebody-else.cfg');
      } finally {
        await host.files.remove(link);
      }
    });

    test('what it has of a guest is told by kind, with its owner', async () => {
      const { env, ref, text } = newGuest('things');
      const { toolstack } = env;
      expect(await toolstack.things(ref.name)).toEqual([]);
      await toolstack.placeCfg(ref.name, Buffer.from(text));
      const link = await toolstack.enableAutostart(ref.name);
      const owner = { guest: ref.name, order: ref.order };
      expect(await toolstack.things(ref.name)).toEqual([
        { kind: 'cfg', where: toolstack.cfgPath(ref.name), owner, placeOf: ref.name },
        { kind: 'autostart', where: link, owner, placeOf: ref.name },
      ]);
    });
  });
}
