/** Checks an order against what a dom0 has, without a server: what `provision --check --facts FILE` does. */
import { z } from 'zod';
import { formatCidr, networkOf, parseCidr, parseIpv4, prefixOfNetmask, whyNotHostIn } from '../contract/ipv4.ts';
import { amountsOf, xenMemoryOf } from '../contract/overhead.ts';
import type { UnplacedOrder } from './order.ts';
import { problemsError, problemsOf, type Problem } from './problems.ts';
import { toldPool, whyNotVcpusOn } from '../contract/shortage.ts';
import { formatSize } from '../contract/sizes.ts';
import type { Dom0Facts } from '../contract/dom0.ts';

const amount = z.number().nonnegative();

/** Facts as `guestflow dom0 facts HOST --json` prints them. Keys that are not looked at here are left out. */
const factsSchema = z.object({
  host: z.string(),
  memoryFreeBytes: amount,
  cpus: amount,
  pools: z
    .array(
      z.object({
        name: z.string(),
        sizeBytes: amount,
        freeBytes: amount,
        thin: z.object({ metadataShare: amount }).exactOptional(),
      }),
    )
    .min(1, 'has no pool: its volume group, or its thin pool, is not there'),
  imageDirFreeBytes: amount,
  network: z.object({
    cidr: z.string().refine((cidr) => parseCidr(cidr) !== undefined, 'is no network, like 192.168.77.0/24'),
    gateway: z.string(),
    bridge: z.string(),
  }),
  addresses: z.array(z.object({ ip: z.string(), guest: z.string() })),
  domains: z.array(z.object({ name: z.string() })),
});

/** The facts that an order is checked against. */
export type CheckedFacts = Pick<
  Dom0Facts,
  'host' | 'memoryFreeBytes' | 'cpus' | 'pools' | 'imageDirFreeBytes' | 'network' | 'addresses'
> & {
  readonly domains: readonly { readonly name: string }[];
};

/** Facts from a file. They may be the facts themselves, or a ledger (`guestflow dom0 show HOST --json`) that holds them. */
export function parseFacts(raw: unknown, what: string): CheckedFacts {
  const held = typeof raw === 'object' && raw !== null && 'facts' in raw ? raw.facts : raw;
  const parsed = factsSchema.safeParse(held);
  if (!parsed.success) throw problemsError(what, problemsOf(parsed.error, held, Object.keys(factsSchema.shape)));
  return parsed.data;
}

/**
 * Whether this dom0 can take the order now: sizes against its volume group and free memory, address against its network.
 *
 * @throws GuestflowError NoCapacity when only capacity is short, else InvalidInput; the message has every problem
 */
export function checkAgainstFacts(order: UnplacedOrder, facts: CheckedFacts): void {
  const wrong = [...placeProblems(order, facts), ...addressProblems(order, facts)];
  const short = capacityProblems(order, facts);
  if (wrong.length + short.length === 0) return;
  throw problemsError(`the order on dom0 ${facts.host}`, [...wrong, ...short], wrong.length === 0 ? 'NoCapacity' : 'InvalidInput');
}

function placeProblems(order: UnplacedOrder, facts: CheckedFacts): Problem[] {
  return order.dom0 === undefined || order.dom0 === facts.host
    ? []
    : [{ field: 'dom0', value: order.dom0, reason: `is not the dom0 of these facts, ${facts.host}` }];
}

function capacityProblems(order: UnplacedOrder, facts: CheckedFacts): Problem[] {
  // If the guest exists, the order is repeated: its memory and its disks are taken already.
  if (facts.domains.some(({ name }) => name === order.name)) return [];
  const problems: Problem[] = [];
  const short = (field: string, wanted: number, free: number, where: string, said = wanted): void => {
    if (wanted > free)
      problems.push({
        field,
        value: formatSize(said),
        reason: `does not fit: ${where} has ${formatSize(free)} free, ${formatSize(wanted - free)} too little`,
      });
  };
  short('memory', xenMemoryOf(amountsOf(order)), facts.memoryFreeBytes, `dom0 ${facts.host}`, order.size.memoryBytes);
  const [pool] = facts.pools;
  short('disk', order.size.diskBytes + order.size.swapBytes, pool?.freeBytes ?? 0, pool === undefined ? 'it' : toldPool(pool));
  if (order.storage.image === 'full')
    short('disk', order.size.diskBytes + order.size.swapBytes, facts.imageDirFreeBytes, 'the directory of images');
  const reason = whyNotVcpusOn(order.size.vcpus, facts.cpus);
  if (reason !== undefined) problems.push({ field: 'vcpus', value: String(order.size.vcpus), reason });
  return problems;
}

function addressProblems(order: UnplacedOrder, facts: CheckedFacts): Problem[] {
  const problems: Problem[] = [];
  const network = parseCidr(facts.network.cidr);
  const address = parseIpv4(order.network.ip ?? '');
  if (order.network.ip === undefined || address === undefined || network === undefined) return problems;
  const add = (field: string, value: string, reason: string): void => {
    problems.push({ field, value, reason });
  };
  const reason = whyNotHostIn(address, network);
  if (reason !== undefined) add('ip', order.network.ip, `cannot be an address on dom0 ${facts.host}: ${reason}`);
  else if (order.network.ip === facts.network.gateway) add('ip', order.network.ip, 'is the address of the gateway');
  const taken = facts.addresses.find(({ ip, guest }) => ip === order.network.ip && guest !== order.name);
  if (taken !== undefined) add('ip', order.network.ip, `is taken by guest ${taken.guest}`);
  const prefix = prefixOfNetmask(order.network.netmask ?? '');
  if (order.network.netmask !== undefined && prefix !== undefined && formatCidr(networkOf(address, prefix)) !== formatCidr(network)) {
    add('netmask', order.network.netmask, `does not fit the network of dom0 ${facts.host}, ${formatCidr(network)}`);
  }
  return problems;
}
