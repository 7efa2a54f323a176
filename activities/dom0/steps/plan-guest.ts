/** plan: checks the order against this dom0, and decides everything that it leaves open. It makes nothing yet. */
import type { GuestNetwork, GuestOrder, GuestSpec } from '../../../contract/guest.ts';
import type { PoolFacts } from '../../../contract/capacity.ts';
import type { LeasedAddress } from '../../../contract/dom0.ts';
import { defined } from '../../../contract/defined.ts';
import { GuestflowError } from '../../../contract/errors.ts';
import { amountsOf, xenMemoryOf } from '../../../contract/overhead.ts';
import { keepsReserve, toldPool, whyNotVcpusOn } from '../../../contract/shortage.ts';
import { formatSize, GiB, MiB } from '../../../contract/sizes.ts';
import type { StepEnv } from '../env.ts';
import { mustBeFetchable } from '../images/fetchable.ts';
import { domainNameIn } from '../inventory/cfg-addresses.ts';
import { inTheWayOf, things } from '../inventory/inventory.ts';
import { isAmong, usedAddresses } from '../inventory/used-addresses.ts';
import { hasFreeLoopDevice } from '../machine/preflight.ts';
import { isOwner, mustOwn } from '../marks.ts';
import { whoHas } from '../network/neighbours.ts';
import { preflightOfOrder } from './preflight.ts';
import { originOf } from './restore-volumes.ts';

async function mustBeReady(env: StepEnv): Promise<void> {
  const report = await preflightOfOrder(env);
  const row = report.rows.find(({ state }) => state === 'missing');
  if (row === undefined) return;
  throw new GuestflowError(
    row.row === 'loop devices' ? 'NoCapacity' : 'HostNotReady',
    `dom0 ${report.host} is not ready: ${row.row}: ${row.found}`,
    { field: row.row, ...defined({ mend: row.mend }) },
    false,
  );
}

/** Refuses the order if something of this name exists, unless an earlier attempt of this order has made it. */
async function mustBeFree(env: StepEnv, order: GuestOrder): Promise<void> {
  for (const { where, owner } of inTheWayOf(order.name, await things(env, order.name))) mustOwn(owner, order, where);
}

/**
 * Refuses the order if a cfg of another name makes a domain of this one: while that domain runs, it would pass for the guest, and be ended in its place.
 */
async function mustBeOnlyName({ toolstack }: StepEnv, { name }: GuestOrder): Promise<void> {
  const cfgs = await toolstack.cfgs();
  const other = cfgs.find(
    ({ path, bytes, owner }) => path !== toolstack.cfgPath(name) && owner?.guest !== name && domainNameIn(bytes) === name,
  );
  if (other !== undefined)
    throw new GuestflowError('NotOurs', `${other.path} is the cfg of another domain called ${name}: rename that one, or remove the file`, {
      field: 'name',
      value: name,
    });
}

async function mustFit(env: StepEnv, order: GuestOrder): Promise<void> {
  await mustFitMachine(env, order);
  await mustFitPool(env, order);
  await mustFitImages(env, order);
}

async function mustFitMachine({ settings, toolstack }: StepEnv, order: GuestOrder): Promise<void> {
  // An earlier attempt has started the domain already: its memory is taken.
  if ((await toolstack.find(order.name)) !== undefined) return;
  const { freeMemoryMiB, cpus } = await toolstack.facts();
  const reason = whyNotVcpusOn(order.size.vcpus, cpus);
  if (reason !== undefined)
    throw new GuestflowError('NoCapacity', `dom0 ${settings.host} cannot take ${order.name}: vcpus ${order.size.vcpus} ${reason}`, {
      field: 'vcpus',
      value: String(order.size.vcpus),
    });
  const shortMiB = xenMemoryOf(amountsOf(order)) / MiB - freeMemoryMiB;
  if (shortMiB > 0)
    throw new GuestflowError(
      'NoCapacity',
      `dom0 ${settings.host} has ${freeMemoryMiB} MiB of memory free, ${shortMiB} MiB too little for ${order.name} and what Xen needs for it`,
      { field: 'memory', value: formatSize(order.size.memoryBytes) },
    );
}

async function mustFitPool({ settings, storage }: StepEnv, order: GuestOrder): Promise<void> {
  const own = (await storage.list()).filter(({ owner }) => isOwner(owner, order)).reduce((sum, { bytes }) => sum + bytes, 0);
  const pool: Pick<PoolFacts, 'name' | 'thin' | 'freeBytes'> = (await storage.facts()) ?? { name: storage.pool, freeBytes: 0 };
  // Of a thin pool the ledger sells what guests may write at most; this is what they have left of it.
  const kept = keepsReserve(pool) ? settings.policy.reserve.diskBytes : 0;
  const shortBytes = order.size.diskBytes + order.size.swapBytes - own + kept - pool.freeBytes;
  if (shortBytes > 0)
    throw new GuestflowError(
      'NoCapacity',
      `${toldPool(pool)} on ${settings.host} has ${formatSize(pool.freeBytes)} free, ${formatSize(shortBytes)} too little for ${order.name}`,
      { field: 'disk', value: formatSize(order.size.diskBytes) },
    );
}

/** Room for the image that is made first. A guest that is made from a backup has none. */
async function mustFitImages(env: StepEnv, order: GuestOrder): Promise<void> {
  if (order.origin !== undefined) return;
  const { host, settings } = env;
  // A file system has tables for its whole size: for 16 TiB, those of ext4 take 1.3 GiB and those of ext3 2.1 GiB.
  const imageRoom =
    order.storage.image === 'full'
      ? order.size.diskBytes + order.size.swapBytes
      : Math.min(order.size.diskBytes, 2 * GiB + order.size.diskBytes / 4096);
  const free = await host.files.freeBytes(settings.imageDir);
  if (free < imageRoom)
    throw new GuestflowError(
      'NoCapacity',
      `${settings.imageDir} on ${settings.host} has ${formatSize(free)} free, an image of ${order.name} needs ${formatSize(imageRoom)}`,
      { field: 'disk' },
    );
  if (!(await hasFreeLoopDevice(env)))
    throw new GuestflowError('NoCapacity', `dom0 ${settings.host} has no loop device free: modprobe loop, or detach unused ones`, {
      field: 'loop devices',
    });
}

async function mustBeUnused(env: StepEnv, order: GuestOrder, { ip, ipv6, mac, bridge, gateway }: GuestNetwork): Promise<void> {
  for (const other of (await usedAddresses(env)).filter(({ guest }) => guest !== order.name)) {
    if (isAmong(other.ips, ip))
      throw new GuestflowError('InvalidInput', `ip ${ip} is taken: ${other.cfg} has it`, { field: 'ip', value: ip });
    if (ipv6 !== undefined && isAmong(other.ips, ipv6.address))
      throw new GuestflowError('InvalidInput', `ip ${ip} cannot be used: ${other.cfg} has ${ipv6.address}, its IPv6 address`, {
        field: 'ip',
        value: ip,
      });
    if (other.mac === mac)
      throw new GuestflowError('InvalidInput', `mac ${mac} is taken: ${other.cfg} has it`, { field: 'mac', value: mac });
  }
  const isOwnGuest = (await env.toolstack.find(order.name)) !== undefined;
  if (isOwnGuest) return;
  const answer = await whoHas(env, { ip, bridge, gateway });
  if (answer === 'router')
    env.log.warn(
      { bridge, gateway },
      'the gateway answers for every address of its network (proxy ARP): who has an address cannot be seen there',
    );
  else if (answer !== 'nobody')
    throw new GuestflowError('InvalidInput', `ip ${ip} is taken: ${answer.mac} on ${bridge} answers at it`, { field: 'ip', value: ip });
}

/** Checks the order against this dom0 and returns it with everything decided. */
export async function planGuest(env: StepEnv, input: { order: GuestOrder; lease: LeasedAddress }): Promise<GuestSpec> {
  const { order: decided, lease: network } = input;
  if (decided.dom0 !== env.settings.host)
    throw new GuestflowError('InvalidInput', `the order is for dom0 ${decided.dom0}, this is ${env.settings.host}`, {
      field: 'dom0',
      value: decided.dom0,
    });
  await mustBeReady(env);
  await mustBeFree(env, input.order);
  await mustBeOnlyName(env, input.order);
  await mustFit(env, input.order);
  await mustBeUnused(env, input.order, network);
  if (input.order.origin === undefined) await mustBeFetchable(env, input.order);
  else await originOf(env, input.order);
  return { ...decided, network };
}
