/** Whether something fits on a dom0, and in words what is short, and by how much. Pure; for the ledger and for placement. */
import type { Amounts, Capacity, PoolFacts } from './capacity.ts';
import { xenMemoryOf } from './overhead.ts';
import { formatSize } from './sizes.ts';

/** Why a dom0 with so many cpus takes no guest with so many vcpus, or undefined. Xen would make it; it could never have them all at once, and its kernel waits for those that it has not. */
export function whyNotVcpusOn(vcpus: number, cpus: number): string | undefined {
  return vcpus > cpus ? `is more than the ${cpus} cpus of the dom0, ${vcpus - cpus} too many` : undefined;
}

/** What is short, all of it in one message; undefined when it fits. A dom0 that has not registered has no capacity to tell of. */
export function shortageOf(
  { host, free, sellable, cpus }: Pick<Capacity, 'host' | 'free' | 'sellable' | 'cpus'>,
  asked: Amounts & { readonly guest: string },
): { readonly field: string; readonly message: string } | undefined {
  if (sellable === undefined || free === undefined) return undefined;
  const size = (bytes: number): string => (bytes <= 0 ? 'nothing' : formatSize(bytes));
  const rows = [
    { field: 'memory', asked: xenMemoryOf(asked), free: free.memoryBytes, all: sellable.memoryBytes, say: size },
    { field: 'vcpus', asked: asked.vcpus, free: free.vcpus, all: sellable.vcpus, say: (count: number) => String(Math.max(0, count)) },
    { field: 'disk', asked: asked.diskBytes, free: free.diskBytes, all: sellable.diskBytes, say: size },
  ];
  const short = rows.filter((row) => row.asked > row.free);
  const reason = cpus === undefined ? undefined : whyNotVcpusOn(asked.vcpus, cpus);
  const [first] = short;
  if (first === undefined)
    return reason === undefined
      ? undefined
      : { field: 'vcpus', message: `dom0 ${host} cannot take ${asked.guest}: vcpus ${asked.vcpus} ${reason}` };
  const { memoryBytes, overheadBytes = 0 } = asked;
  const wanted = ({ field, say, asked: all }: (typeof rows)[number]): string =>
    field === 'memory' && overheadBytes > 0
      ? `${size(memoryBytes)} asked for and ${size(overheadBytes)} that Xen needs for it`
      : `${say(all)} asked for`;
  const words = short.map(
    (row) =>
      `${row.field} is ${row.say(row.asked - Math.max(0, row.free))} short (${wanted(row)}, ${row.say(row.free)} free of ${row.say(row.all)})`,
  );
  return { field: first.field, message: `dom0 ${host} cannot take ${asked.guest}: ${words.join('; ')}` };
}

/** Whether the disks of a pool are files in a directory: its name is the path. */
function isDirectory({ name }: Pick<PoolFacts, 'name'>): boolean {
  return name.startsWith('/');
}

/** How a pool is told to people: `volume group vg01`, `thin pool vg01/guests`, `directory /home/xen/disks`. */
export function toldPool(pool: Pick<PoolFacts, 'name' | 'thin'>): string {
  if (isDirectory(pool)) return `directory ${pool.name}`;
  return `${pool.thin === undefined ? 'volume group' : 'thin pool'} ${pool.name}`;
}

/** Whether no disk is made that would leave less than the reserve free: what fills up such a pool takes more with it than one order. */
export function keepsReserve(pool: Pick<PoolFacts, 'name' | 'thin'>): boolean {
  return pool.thin !== undefined || isDirectory(pool);
}
