/** What is on a dom0, as its own tools say. Changes nothing. */
import { defined } from '../../../contract/defined.ts';
import { MiB } from '../../../contract/sizes.ts';
import type { Dom0Facts, DomainRow, GuestInventory } from '../../../contract/dom0.ts';
import type { GuestRef, OrderRef } from '../../../contract/guest.ts';
import type { StepEnv } from '../env.ts';
import { guestPaths } from '../guest-paths.ts';
import { halfMadeGolden } from '../images/golden-half.ts';
import { listTarballs } from '../images/golden-next.ts';
import { holdings } from '../inventory/holdings.ts';
import { leftOf, takers, things } from '../inventory/inventory.ts';
import { usedAddresses } from '../inventory/used-addresses.ts';
import { isOwner } from '../marks.ts';
import { passwordPublicKey } from '../password-key.ts';
import { recordOf } from './backup.ts';

/** What this dom0 has. */
export async function dom0Facts(env: StepEnv, version: string): Promise<Dom0Facts> {
  const { host, settings, storage, toolstack } = env;
  const { cidr, gateway, exclude } = settings.network;
  const machine = await toolstack.facts();
  const pool = await storage.facts();
  const passwordKey = await passwordPublicKey(env);
  return {
    host: settings.host,
    seenAt: new Date().toISOString(),
    xenVersion: machine.xenVersion,
    memoryBytes: machine.totalMemoryMiB * MiB,
    memoryFreeBytes: machine.freeMemoryMiB * MiB,
    cpus: machine.cpus,
    pools: pool === undefined ? [] : [pool],
    imageDirFreeBytes: (await host.files.info(settings.imageDir)) === undefined ? 0 : await host.files.freeBytes(settings.imageDir),
    network: { cidr, gateway, bridge: settings.bridge, ...defined({ exclude }) },
    addresses: (await usedAddresses(env)).flatMap(({ guest, ips }) => ips.map((ip) => ({ guest, ip }))),
    workerVersion: version,
    ...defined({ passwordKey }),
    domains: await toolstack.domains(),
    policy: settings.policy,
    golden: (await listTarballs(env)).map(({ dist, createdAt }) => ({ dist, createdAt })),
    holdings: pool === undefined ? [] : holdings(await takers(env)),
  };
}

/** The domains of this dom0, ours or not. */
export async function domains({ toolstack }: StepEnv): Promise<DomainRow[]> {
  return await toolstack.domains();
}

/** What is on this dom0 of one guest. */
export async function inspectGuest(env: StepEnv, input: { ref: GuestRef; consoleLines: number }): Promise<GuestInventory> {
  const { host, settings, storage, toolstack, repository } = env;
  const { ref } = input;
  const { images } = guestPaths(settings, ref.name);
  const domain = await toolstack.find(ref.name);
  const cfg = await toolstack.readCfg(ref.name);
  const disks = (await storage.list()).filter(({ owner }) => isOwner(owner, ref));
  const console = input.consoleLines === 0 ? undefined : await toolstack.console(ref.name, input.consoleLines);
  return {
    ...defined({ domain, cfg: cfg?.bytes.toString('latin1') }),
    autostart: await toolstack.hasAutostart(ref.name),
    ...((await host.files.info(images)) === undefined ? {} : { imageDirectory: images }),
    volumes: disks.map(({ name, bytes, device }) => ({ name, bytes, device })),
    backups: (await repository.list(ref.name)).backups.map(recordOf),
    ...defined({ console }),
  };
}

/** All that is left of one guest on this dom0, in words; empty if nothing is. */
export async function leftoversOf(env: StepEnv, ref: OrderRef): Promise<string[]> {
  const golden = ref.dist === undefined ? [] : await halfMadeGolden(env, ref.dist);
  return [...leftOf(ref, await things(env, ref.name)).map(({ where }) => where), ...golden];
}
