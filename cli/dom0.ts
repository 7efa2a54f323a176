/** What `guestflow dom0 …` does. */
import type { Guestflow } from '../client/index.ts';
import { DEFAULT_POLICY, type Capacity } from '../contract/capacity.ts';
import { EXIT } from '../contract/exit-codes.ts';
import { formatSize } from '../contract/sizes.ts';
import type { Dom0Facts, Dom0State, PreflightReport } from '../contract/dom0.ts';
import { withGuestflow, type ServerOptions } from './context.ts';
import { printFacts, printJson, printLine, printTable, type Io } from './io.ts';

export async function listDom0s(io: Io, options: ServerOptions): Promise<undefined> {
  return withGuestflow(options, async (flow) => {
    const rows = await Promise.all((await flow.dom0s()).map((host) => flow.capacity(host)));
    if (options.json) printJson(io, rows);
    else if (rows.length === 0) printLine(io, 'no dom0 has registered');
    else printTable(io, ['DOM0', 'GUESTS', 'MEMORY FREE', 'VCPUS FREE', 'DISK FREE', 'BY HAND', 'STATE'], rows.map(capacityRow));
    return undefined;
  });
}

/** Free of what is sold, and what guests made by hand take of it. */
function capacityRow({ host, guests, free, sellable, byHand, drained, lost }: Capacity): string[] {
  const size = (bytes: number): string => (bytes === 0 ? '0' : bytes < 0 ? `-${formatSize(-bytes)}` : formatSize(bytes));
  const cells =
    free === undefined || sellable === undefined
      ? ['', '', '']
      : [
          `${size(free.memoryBytes)} of ${size(sellable.memoryBytes)}`,
          `${free.vcpus} of ${sellable.vcpus}`,
          `${size(free.diskBytes)} of ${size(sellable.diskBytes)}`,
        ];
  const hand = byHand.memoryBytes + byHand.diskBytes === 0 ? '' : `${size(byHand.memoryBytes)}, ${size(byHand.diskBytes)}`;
  return [
    host,
    String(guests),
    ...cells,
    hand,
    lost !== undefined ? 'lost' : free === undefined ? 'not registered' : drained ? 'drained' : 'open',
  ];
}

/** Exit code 3 when something is missing: a script may go by it. */
export async function checkDom0(io: Io, host: string, task: 'preflight' | 'prepare', options: ServerOptions): Promise<number> {
  return withGuestflow(options, async (flow) => {
    const report = await flow.dom0Task<PreflightReport>(host, task);
    if (options.json) printJson(io, report);
    else {
      printTable(
        io,
        ['', 'ROW', 'FOUND', 'WHAT TO DO'],
        report.rows.map(({ row, state, found, mend }) => [state, row, found, mend ?? '']),
      );
      printLine(
        io,
        report.ok
          ? `dom0 ${host} has what guests need`
          : `dom0 ${host} lacks ${report.rows
              .filter(({ state }) => state === 'missing')
              .map(({ row }) => row)
              .join(', ')}`,
      );
    }
    return report.ok ? EXIT.done : EXIT.refused;
  });
}

export async function showFacts(io: Io, host: string, options: ServerOptions): Promise<undefined> {
  return withGuestflow(options, async (flow) => {
    const facts = await flow.dom0Task<Dom0Facts>(host, 'facts');
    if (options.json) printJson(io, facts);
    else describeFacts(io, facts);
    return undefined;
  });
}

export async function showLedger(io: Io, host: string, options: ServerOptions): Promise<undefined> {
  return withGuestflow(options, async (flow) => {
    const state = await flow.dom0State(host);
    if (options.json) {
      printJson(io, state);
      return undefined;
    }
    printLine(io, `dom0 ${state.host}${state.drained ? ' is drained: it takes no new guests' : ''}`);
    if (state.lost !== undefined) printLine(io, `it was declared lost at ${state.lost}`);
    if (state.facts === undefined) printLine(io, 'its worker has not said anything yet');
    else describeFacts(io, state.facts);
    describePolicy(io, state);
    const leases = await leasesOf(flow);
    const rows = state.promised.map(({ guest, order, memoryBytes, vcpus, diskBytes, since }) => [
      guest,
      order,
      leases.get(`${guest} ${order}`) ?? '',
      formatSize(memoryBytes),
      String(vcpus),
      formatSize(diskBytes),
      since,
    ]);
    if (rows.length > 0) printTable(io, ['GUEST', 'ORDER', 'ADDRESS', 'MEMORY', 'VCPUS', 'DISKS', 'SINCE'], rows);
    return undefined;
  });
}

/** Addresses by guest and order. */
async function leasesOf(flow: Guestflow): Promise<Map<string, string>> {
  return new Map((await flow.networks()).flatMap(({ leases }) => leases.map(({ guest, order, ip }) => [`${guest} ${order}`, ip] as const)));
}

export async function drainDom0(io: Io, host: string, options: ServerOptions & { readonly off?: true }): Promise<undefined> {
  return withGuestflow(options, async (flow) => {
    const drained = options.off === undefined;
    await flow.drain(host, drained);
    if (options.json) printJson(io, { host, drained });
    else printLine(io, drained ? `dom0 ${host} takes no new guests` : `dom0 ${host} takes new guests again`);
    return undefined;
  });
}

/** What may be sold, and what the last audit found. */
function describePolicy(io: Io, { facts, audit, networks = [], notRenewed }: Dom0State): void {
  const { plans, oversell, reserve } = facts?.policy ?? DEFAULT_POLICY;
  const kept = (bytes: number): string => (bytes === 0 ? 'nothing' : formatSize(bytes));
  printFacts(io, [
    ['takes', plans === undefined ? 'all plans' : `plans ${plans.join(', ')}`],
    ['sells', `memory ${oversell.memory} times, vcpus ${oversell.vcpus} times, disk ${oversell.disk} times`],
    ['keeps', `${kept(reserve.memoryBytes)} of memory, ${kept(reserve.diskBytes)} of disk`],
    ['reaches', networks.map(({ cidr, bridge }) => `${cidr} (${bridge})`).join(', ')],
    ['audit', audit === undefined ? 'none yet' : `${audit.at}${audit.problem === undefined ? '' : `: ${audit.problem}`}`],
    ['golden', facts?.golden?.map(({ dist, createdAt }) => `${dist} of ${createdAt}`).join('\n')],
    ['not renewed', notRenewed?.map(({ dist, reason, since }) => `${dist} since ${since}: ${reason}`).join('\n')],
    ['by hand', audit?.byHand.join('\n')],
    ['orphans', audit?.orphans.map(({ guest, order, reason }) => `${guest} of order ${order}: ${reason}`).join('\n')],
  ]);
}

function describeFacts(io: Io, facts: Dom0Facts): void {
  printFacts(io, [
    ['seen', `${facts.seenAt}, by worker ${facts.workerVersion}`],
    ['Xen', facts.xenVersion],
    ['memory', `${formatSize(facts.memoryFreeBytes)} of ${formatSize(facts.memoryBytes)} free`],
    ['cpus', String(facts.cpus)],
    [
      'volumes',
      facts.pools.map((pool) => `${formatSize(pool.freeBytes)} of ${formatSize(pool.sizeBytes)} free in ${pool.name}`).join('\n'),
    ],
    ['images', `${formatSize(facts.imageDirFreeBytes)} free`],
    ['network', `${facts.network.cidr}, gateway ${facts.network.gateway}, bridge ${facts.network.bridge}`],
    ['addresses', facts.addresses.map(({ ip, guest }) => `${ip} ${guest}`).join('\n')],
    ['domains', facts.domains.map(({ name }) => name).join(', ')],
  ]);
}
