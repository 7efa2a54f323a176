/** What takes memory, vcpus and disk on this dom0, ours and what was made by hand: the ledger counts both. */
import type { Holding } from '../../contract/capacity-types.ts';
import type { DomainRow } from '../../contract/types.ts';
import { MiB } from '../../contract/sizes.ts';
import { listVolumes } from '../host/lvm.ts';
import { cfgOwner, volumeOwner, type Owner } from '../marks.ts';
import type { StepEnv } from '../step.ts';

/** The owner of a domain by its cfg. A name that is no file's is nobody's: domains made by hand can be called anything. */
async function domainOwner({ host }: StepEnv, name: string): Promise<Owner | undefined> {
  if (!/^[a-z0-9][a-z0-9.-]*$/.test(name)) return undefined;
  const cfg = await host.files.read(`/etc/xen/${name}.cfg`);
  const owner = cfg === undefined ? undefined : cfgOwner(cfg);
  return owner?.guest === name ? owner : undefined;
}

function added(
  former: Holding | undefined,
  { guest, order }: Owner,
  more: { memoryBytes?: number; vcpus?: number; diskBytes?: number },
): Holding {
  const { memoryBytes = 0, vcpus = 0, diskBytes = 0 } = former ?? {};
  return {
    what: `guest ${guest}`,
    guest,
    order,
    memoryBytes: memoryBytes + (more.memoryBytes ?? 0),
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
  for (const { name, id, memoryMiB, vcpus } of domains.filter((domain) => domain.id !== 0)) {
    const owner = await domainOwner(env, name);
    if (owner === undefined)
      others.push({ what: `domain ${name === '' ? String(id) : name}`, memoryBytes: memoryMiB * MiB, vcpus, diskBytes: 0 });
    else add(owner, { memoryBytes: memoryMiB * MiB, vcpus });
  }
  const vg = env.settings.volumeGroup;
  for (const volume of await listVolumes(env.host, vg)) {
    const owner = volumeOwner(volume);
    if (owner === undefined) others.push({ what: `volume ${vg}/${volume.name}`, memoryBytes: 0, vcpus: 0, diskBytes: volume.bytes });
    else add(owner, { diskBytes: volume.bytes });
  }
  return [...ours.values(), ...others];
}
