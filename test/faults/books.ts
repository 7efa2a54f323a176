/** What Temporal has of a guest beside its workflow: its part of a dom0, its address, its Schedule. All of it, or nothing. */
import type { Lease } from '../../contract/capacity.ts';
import type { Dom0State } from '../../contract/dom0.ts';
import type { GuestSpec } from '../../contract/guest.ts';
import type { DomainState } from '../../fake/index.ts';
import { parseCfg, showCfg } from '../../xlcfg/index.ts';
import type { Complaints } from './invariants.ts';
import type { Server } from './server.ts';

export interface Books {
  /** In the ledger of its dom0. */
  readonly reservation: Dom0State['promised'][number] | undefined;
  /** In the network. */
  readonly lease: Lease | undefined;
  readonly isScheduled: boolean;
}

export async function booksOf(server: Server, host: string, guest: string): Promise<Books> {
  const [reservation, lease, isScheduled] = await Promise.all([
    server.reservedFor(host, guest),
    server.leaseOf(guest),
    server.hasSchedule(guest),
  ]);
  return { reservation, lease, isScheduled };
}

/** What nobody else can be given: nothing of it is left. */
export function heldComplaints({ reservation, lease }: Books): Complaints {
  return [
    ...(reservation === undefined ? [] : ['the ledger still has its reservation']),
    ...(lease === undefined ? [] : [`the network still has its lease of ${lease.ip}`]),
  ];
}

export function emptyComplaints(books: Books): Complaints {
  return [...heldComplaints(books), ...(books.isScheduled ? ['its schedule is still there'] : [])];
}

/** What something of the guest that is left may still use: nobody else is given it. */
export function lostComplaints({ reservation, lease }: Books): Complaints {
  return [
    ...(reservation === undefined ? ['its part of the dom0 was given back'] : []),
    ...(lease === undefined ? ['its address was given back'] : []),
  ];
}

/** Whether its part of the dom0 is of its size. */
export function reservationComplaints({ reservation }: Books, spec: GuestSpec | undefined): Complaints {
  const takes = spec === undefined ? undefined : [spec.size.memoryBytes, spec.size.vcpus, spec.size.diskBytes + spec.size.swapBytes];
  const promised = reservation === undefined ? undefined : [reservation.memoryBytes, reservation.vcpus, reservation.diskBytes];
  return JSON.stringify(takes) === JSON.stringify(promised) ? [] : [`promised is ${String(promised)}, and it takes ${String(takes)}`];
}

/** Whether they are those of a guest that runs, and its cfg has the address that it leases. */
export function fullComplaints(books: Books, spec: GuestSpec | undefined, { files }: DomainState): Complaints {
  const { lease, isScheduled } = books;
  if (spec === undefined) return ['its status has no spec'];
  const cfg = files[`/etc/xen/${spec.name}.cfg`] ?? '';
  const [vif] = showCfg(parseCfg(Buffer.from(cfg))).vifs;
  const wanted = JSON.stringify([spec.name, spec.order, spec.network.ip, spec.network.mac]);
  const leased = JSON.stringify([lease?.guest, lease?.order, lease?.ip, lease?.mac]);
  const used = JSON.stringify([spec.name, spec.order, vif?.ip[0], vif?.mac?.toUpperCase()]);
  return [
    ...reservationComplaints(books, spec),
    ...(leased === wanted ? [] : [`its lease is ${leased}, not ${wanted}`]),
    ...(used === wanted ? [] : [`its cfg has ${used}, not ${wanted}`]),
    ...(isScheduled ? [] : ['its schedule is missing']),
  ];
}
