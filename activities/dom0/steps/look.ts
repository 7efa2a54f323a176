/** What is on a dom0, as its own tools say. Changes nothing. */
import type { Dom0Facts, DomainRow, GuestInventory, GuestRef, OrderRef } from '../../../contract/types.ts';
import { MiB } from '../../../contract/sizes.ts';
import { devicePath, listVolumes, volumeGroup } from '../storage/lvm/lvm.ts';
import { consoleTail, findDomain, hostInfo, listDomains } from '../toolstack/xl/xl.ts';
import { guestPaths } from '../guest-paths.ts';
import { limboOf, partsOf } from '../staging.ts';
import { isOwner, volumeOwner } from '../marks.ts';
import { savedOf } from '../toolstack/xl/saved-states.ts';
import { passwordPublicKey } from '../password-key.ts';
import type { StepEnv } from '../step.ts';
import { halfGolden } from './create-image.ts';
import { holdings } from './holdings.ts';
import { listBackups } from './nightly-backup.ts';
import { usedAddresses } from './used-addresses.ts';
import { defined } from '../../../contract/defined.ts';

/** What this dom0 has. */
export async function dom0Facts(env: StepEnv, version: string): Promise<Dom0Facts> {
  const { host, settings } = env;
  const info = await hostInfo(host);
  const group = await volumeGroup(host, settings.volumeGroup);
  const domains = await listDomains(host);
  const passwordKey = await passwordPublicKey(env);
  return {
    host: settings.host,
    seenAt: new Date().toISOString(),
    xenVersion: info.xenVersion,
    memoryBytes: info.totalMemoryMiB * MiB,
    memoryFreeBytes: info.freeMemoryMiB * MiB,
    cpus: info.cpus,
    volumeGroup: settings.volumeGroup,
    volumeGroupBytes: group?.sizeBytes ?? 0,
    volumeGroupFreeBytes: group?.freeBytes ?? 0,
    imageDirFreeBytes: (await host.files.info(settings.imageDir)) === undefined ? 0 : await host.files.freeBytes(settings.imageDir),
    network: { ...settings.network, bridge: settings.bridge },
    addresses: (await usedAddresses(env)).flatMap(({ guest, ips }) => ips.map((ip) => ({ guest, ip }))),
    workerVersion: version,
    ...defined({ passwordKey }),
    domains,
    policy: settings.policy,
    holdings: group === undefined ? [] : await holdings(env, domains),
  };
}

/** The domains of this dom0, ours or not. */
export async function domains(env: StepEnv): Promise<DomainRow[]> {
  return listDomains(env.host);
}

/** What is on this dom0 of one guest. */
export async function inspectGuest(env: StepEnv, input: { ref: GuestRef; consoleLines: number }): Promise<GuestInventory> {
  const { host, settings } = env;
  const { ref } = input;
  const paths = guestPaths(settings, ref.name);
  const domain = await findDomain(host, ref.name);
  const cfg = await host.files.read(paths.cfg);
  const volumes = (await listVolumes(host, settings.volumeGroup)).filter((volume) => isOwner(volumeOwner(volume), ref));
  const console = input.consoleLines === 0 ? undefined : await consoleTail(host, ref.name, input.consoleLines);
  return {
    ...defined({ domain }),
    ...(cfg === undefined ? {} : { cfg: cfg.toString('latin1') }),
    autostart: (await host.files.info(paths.autostart)) !== undefined,
    ...((await host.files.info(paths.images)) === undefined ? {} : { imageDirectory: paths.images }),
    volumes: volumes.map((volume) => ({ name: volume.name, bytes: volume.bytes, device: devicePath(settings.volumeGroup, volume.name) })),
    backups: await listBackups(env, ref.name),
    ...defined({ console }),
  };
}

/** In words, all that is left on this dom0 of one guest: empty when it is as before. */
export async function leftoversOf(env: StepEnv, ref: OrderRef): Promise<string[]> {
  const { host, settings } = env;
  const paths = guestPaths(settings, ref.name);
  const left: string[] = [];
  if ((await findDomain(host, ref.name)) !== undefined) left.push(`domain ${ref.name}`);
  const golden = ref.dist === undefined ? [] : await halfGolden(env, ref.dist);
  const halfMade = [
    ...golden,
    ...(await partsOf(host.files, paths.cfg)),
    paths.unfinishedImages,
    limboOf(paths.backups),
    limboOf(paths.state),
  ];
  for (const path of [paths.cfg, paths.autostart, paths.images, paths.backups, paths.state, ...halfMade]) {
    if ((await host.files.info(path)) !== undefined) left.push(path);
  }
  left.push(...(await savedOf(host, ref)));
  for (const volume of await listVolumes(host, settings.volumeGroup)) {
    if (isOwner(volumeOwner(volume), ref)) left.push(`volume ${settings.volumeGroup}/${volume.name}`);
  }
  return left;
}
