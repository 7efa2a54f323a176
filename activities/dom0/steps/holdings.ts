/** What takes memory, vcpus and disk on this dom0, ours and what was made by hand: the ledger counts both. */
import type { Amounts, Holding } from '../../../contract/capacity-types.ts';
import type { DomainRow } from '../../../contract/types.ts';
import { xenOverheadBytes } from '../../../contract/overhead.ts';
import { MiB } from '../../../contract/sizes.ts';
import { parseCfg, showCfg } from '../../../xlcfg/index.ts';
import { listVolumes } from '../storage/lvm/lvm.ts';
import { cfgOwner, volumeOwner, type Owner } from '../marks.ts';
import type { StepEnv } from '../step.ts';

/** What Xen needs for a domain that was made of this cfg; 0 where the cfg cannot be read: it counts as Xen's own memory then. */
function overheadOf(cfg: Uint8Array, { memoryMiB, vcpus }: DomainRow): number {
  try {
    const { keys } = showCfg(parseCfg(cfg));
    const number = (key: string, least: number): number => Math.max(least, typeof keys[key] === 'number' ? keys[key] : 0);
    const memoryBytes = number('maxmem', number('memory', memoryMiB)) * MiB;
    return xenOverheadBytes({
      type: keys['type'] === 'pvh' ? 'pvh' : 'pv',
      memoryBytes,
      vcpus: number('maxvcpus', number('vcpus', vcpus)),
    });
  } catch {
    return 0;
  }
}

/**
 * The owner of a domain by its cfg, and what Xen needs for it. A name that is no file's is nobody's: domains made by hand can be called
 * anything.
 */
async function ownDomain({ host }: StepEnv, domain: DomainRow): Promise<{ owner: Owner; overheadBytes: number } | undefined> {
  const { name } = domain;
  if (!/^[a-z0-9][a-z0-9.-]*$/.test(name)) return undefined;
  const cfg = await host.files.read(`/etc/xen/${name}.cfg`);
  const owner = cfg === undefined ? undefined : cfgOwner(cfg);
  return cfg !== undefined && owner?.guest === name ? { owner, overheadBytes: overheadOf(cfg, domain) } : undefined;
}

function added(former: Holding | undefined, { guest, order }: Owner, more: Partial<Amounts>): Holding {
  const { memoryBytes = 0, overheadBytes = 0, vcpus = 0, diskBytes = 0 } = former ?? {};
  return {
    what: `guest ${guest}`,
    guest,
    order,
    memoryBytes: memoryBytes + (more.memoryBytes ?? 0),
    overheadBytes: overheadBytes + (more.overheadBytes ?? 0),
    vcpus: vcpus + (more.vcpus ?? 0),
    diskBytes: diskBytes + (more.diskBytes ?? 0),
  };
}

/** One row for each of our guests; one for each domain and volume that carries no mark. dom0 itself is none of them. */
export async function holdings(env: StepEnv, domains: readonly DomainRow[]): Promise<Holding[]> {
  const ours = new Map<string, Holding>();
  const others: Holding[] = [];
  const add = (owner: Owner, more: Parameters<typeof added>[2]): void => {
    const key = `${owner.guest} ${owner.order}`;
    ours.set(key, added(ours.get(key), owner, more));
  };
  for (const domain of domains.filter(({ id }) => id !== 0)) {
    const { name, id, memoryMiB, vcpus } = domain;
    const own = await ownDomain(env, domain);
    if (own === undefined)
      others.push({ what: `domain ${name === '' ? String(id) : name}`, memoryBytes: memoryMiB * MiB, vcpus, diskBytes: 0 });
    else add(own.owner, { memoryBytes: memoryMiB * MiB, overheadBytes: own.overheadBytes, vcpus });
  }
  const vg = env.settings.volumeGroup;
  for (const volume of await listVolumes(env.host, vg)) {
    const owner = volumeOwner(volume);
    if (owner === undefined) others.push({ what: `volume ${vg}/${volume.name}`, memoryBytes: 0, vcpus: 0, diskBytes: volume.bytes });
    else add(owner, { diskBytes: volume.bytes });
  }
  return [...ours.values(), ...others];
}
