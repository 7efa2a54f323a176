/** The vifs of a fake dom0 in its /sys. */
import type { Machine } from './machine.ts';
import type { FakeDomain, FakeTraffic } from './model.ts';

const BACKENDS = '/sys/bus/xen-backend/devices';
/** At the speed `watchable`, what a guest that runs receives and sends in a millisecond. */
const BYTES_A_MS: FakeTraffic = { inBytes: 20, outBytes: 60 };

function countersOf(machine: Machine, domain: FakeDomain, devid: number): FakeTraffic {
  const said = domain.traffic?.[devid] ?? { inBytes: 0, outBytes: 0 };
  const ms = machine.options.speed === 'watchable' && domain.booted ? machine.now() - domain.startedAt : 0;
  return { inBytes: said.inBytes + ms * BYTES_A_MS.inBytes, outBytes: said.outBytes + ms * BYTES_A_MS.outBytes };
}

function vifOf(machine: Machine, id: string | undefined, dev: string | undefined): { domain: FakeDomain; devid: number } | undefined {
  const domain = machine.domainById(Number(id));
  return domain === undefined || Number(dev) >= domain.bridges.length ? undefined : { domain, devid: Number(dev) };
}

export function vifList(machine: Machine, path: string): string[] | undefined {
  if (path === BACKENDS)
    return machine.state.domains.flatMap(({ id, bridges }) => bridges.map((_bridge, devid) => `vif-${String(id)}-${String(devid)}`));
  const [, id, dev] = /^\/sys\/bus\/xen-backend\/devices\/vif-(\d+)-(\d+)\/net$/.exec(path) ?? [];
  const vif = vifOf(machine, id, dev);
  return vif === undefined ? undefined : [`vif${String(vif.domain.id)}.${String(vif.devid)}`];
}

export function vifCounter(machine: Machine, path: string): Buffer | undefined {
  const found = /^\/sys\/bus\/xen-backend\/devices\/vif-(\d+)-(\d+)\/net\/vif\1\.\2\/statistics\/([rt])x_bytes$/.exec(path);
  const vif = vifOf(machine, found?.[1], found?.[2]);
  if (vif === undefined) return undefined;
  const { inBytes, outBytes } = countersOf(machine, vif.domain, vif.devid);
  return Buffer.from(`${String(found?.[3] === 'r' ? outBytes : inBytes)}\n`);
}
