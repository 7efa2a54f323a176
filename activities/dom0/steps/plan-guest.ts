/** plan: the order checked against this dom0, and everything decided that it left open. Nothing is made yet. */
import type { GuestNetwork, GuestOrder, GuestSpec, Reservation } from '../../../contract/types.ts';
import { distributionOf } from '../../../contract/distributions.ts';
import { GuestflowError } from '../../../contract/errors.ts';
import { amountsOf, xenMemoryOf } from '../../../contract/overhead.ts';
import { whyNotVcpusOn } from '../../../contract/shortage.ts';
import { formatSize, GiB, MiB } from '../../../contract/sizes.ts';
import { archiveOf } from '../images/apt-sources.ts';
import { freeLoopDevices } from '../tools/loop.ts';
import { listVolumes, volumeGroup } from '../storage/lvm/lvm.ts';
import { mustAnswer, mustBeElsewhere } from '../images/mirror-probe.ts';
import { whoAnswers } from '../tools/net.ts';
import { requireRole, ROLE_DIRECTORY } from '../images/xen-tools.ts';
import { findDomain, hostInfo } from '../toolstack/xl/xl.ts';
import { guestPaths, guestVolumes } from '../guest-paths.ts';
import { removeMarkedDirectory } from '../staging.ts';
import { cfgOwner, isOwner, MARKER_FILE, markerOwner, mustOwn, volumeOwner } from '../marks.ts';
import { asidesAs, savedAs, savedStateOwner } from '../toolstack/xl/saved-states.ts';
import type { StepEnv } from '../step.ts';
import { ensureGuestState, goldenRecord, mirrorFor } from './create-image.ts';
import { preflightOfOrder } from './preflight.ts';
import { isAmong, usedAddresses } from './used-addresses.ts';
import { defined } from '../../../contract/defined.ts';

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

/** Anything of this name must be this order's own, from an earlier attempt. */
async function mustBeFree(env: StepEnv, order: GuestOrder): Promise<void> {
  const { host, settings } = env;
  const paths = guestPaths(settings, order.name);
  const cfg = await host.files.read(paths.cfg);
  if (cfg !== undefined) mustOwn(cfgOwner(cfg), order, paths.cfg);
  else if ((await findDomain(host, order.name)) !== undefined) mustOwn(undefined, order, `domain ${order.name}`);
  for (const state of await savedAs(host, order.name)) mustOwn(await savedStateOwner(host, state), order, state.path);
  for (const directory of [paths.images, paths.backups, paths.state, ...(await asidesAs(host, order.name))]) {
    if ((await host.files.info(directory)) !== undefined)
      mustOwn(markerOwner(await host.files.read(`${directory}/${MARKER_FILE}`)), order, directory);
  }
  const link = await host.files.info(paths.autostart);
  if (link !== undefined && cfg === undefined) mustOwn(undefined, order, paths.autostart);
  const names = Object.values(guestVolumes(order.name));
  for (const volume of await listVolumes(host, settings.volumeGroup)) {
    if (names.includes(volume.name)) mustOwn(volumeOwner(volume), order, `volume ${settings.volumeGroup}/${volume.name}`);
  }
}

/** Whether two mirrors are on one host. */
function isSameHost(one: string, other: string | undefined): boolean {
  return other !== undefined && new URL(one).host === new URL(other).host;
}

/** What the order needs from elsewhere must be there: found out now, not when the work has begun. What is here already is not asked for. */
async function mustBeFetchable(env: StepEnv, order: GuestOrder): Promise<void> {
  const { host, settings, signal } = env;
  if (order.role !== undefined)
    await requireRole(host, `${ROLE_DIRECTORY}/${order.role}`, 'put an executable role there, or leave "role" out of the order');
  if (order.mirror !== undefined && ![settings.mirror, settings.ubuntuMirror].some((own) => isSameHost(order.mirror ?? '', own)))
    await mustBeElsewhere(host, order.mirror, signal);
  if (order.installMethod === 'golden' && (await goldenRecord(env, order.dist)) !== undefined) return;
  const keyring = distributionOf(order.dist)?.keyring;
  if (keyring !== undefined && (await host.files.info(keyring.path)) === undefined)
    throw new GuestflowError(
      'HostNotReady',
      `dist ${order.dist} cannot be fetched: this dom0 has no ${keyring.path}, the keys of its archive`,
      {
        field: 'dist',
        value: order.dist,
        mend: `apt-get install ${keyring.package} (for Debian 12, which has no ubuntu-keyring, take the file from Debian 13's)`,
      },
      false,
    );
  const { uri } = await archiveOf(host, order.dist, mirrorFor(settings, order));
  // What is fetched lies in the guest's own directory meanwhile: what a killed worker leaves of it, the step's undo removes.
  const paths = guestPaths(settings, order.name);
  const isNew = (await host.files.info(paths.state)) === undefined;
  await ensureGuestState(env, order);
  try {
    await mustAnswer(host, { uri, dist: order.dist, directory: paths.state, signal });
  } finally {
    if (isNew) await removeMarkedDirectory(host.files, paths.state, order);
  }
}

async function mustFit(env: StepEnv, order: GuestOrder): Promise<void> {
  const { host, settings } = env;
  // An attempt that came further has taken its part already.
  if ((await findDomain(host, order.name)) === undefined) {
    const { freeMemoryMiB, cpus } = await hostInfo(host);
    const reason = whyNotVcpusOn(order.vcpus, cpus);
    if (reason !== undefined)
      throw new GuestflowError('NoCapacity', `dom0 ${settings.host} cannot take ${order.name}: vcpus ${String(order.vcpus)} ${reason}`, {
        field: 'vcpus',
        value: String(order.vcpus),
      });
    const shortMiB = xenMemoryOf(amountsOf(order)) / MiB - freeMemoryMiB;
    if (shortMiB > 0)
      throw new GuestflowError(
        'NoCapacity',
        `dom0 ${settings.host} has ${String(freeMemoryMiB)} MiB of memory free, ${String(shortMiB)} MiB too little for ${order.name} and what Xen needs for it`,
        { field: 'memory', value: formatSize(order.memoryBytes) },
      );
  }
  const own = (await listVolumes(host, settings.volumeGroup))
    .filter((volume) => isOwner(volumeOwner(volume), order))
    .reduce((sum, volume) => sum + volume.bytes, 0);
  const group = await volumeGroup(host, settings.volumeGroup);
  const shortBytes = order.diskBytes + order.swapBytes - own - (group?.freeBytes ?? 0);
  if (shortBytes > 0)
    throw new GuestflowError(
      'NoCapacity',
      `volume group ${settings.volumeGroup} on ${settings.host} has ${formatSize(group?.freeBytes ?? 0)} free, ${formatSize(shortBytes)} too little for ${order.name}`,
      { field: 'disk', value: formatSize(order.diskBytes) },
    );
  // A file system keeps tables for all of its size: of 16 TiB, ext4's take 1.3 GiB and ext3's 2.1.
  const imageRoom =
    order.image === 'full' ? order.diskBytes + order.swapBytes : Math.min(order.diskBytes, 2 * GiB + order.diskBytes / 4096);
  const free = await host.files.freeBytes(settings.imageDir);
  if (free < imageRoom)
    throw new GuestflowError(
      'NoCapacity',
      `${settings.imageDir} on ${settings.host} has ${formatSize(free)} free, an image of ${order.name} needs ${formatSize(imageRoom)}`,
      { field: 'disk' },
    );
  if (!(await freeLoopDevices(host)).available)
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
  const isOwnGuest = (await findDomain(env.host, order.name)) !== undefined;
  if (isOwnGuest) return;
  const answer = await whoAnswers(env.host, { ip, bridge, signal: env.signal }, gateway);
  if (answer === 'router')
    env.log.warn(
      { bridge, gateway },
      'the gateway answers for every address of its network (proxy ARP): who has an address cannot be seen there',
    );
  else if (answer !== 'nobody')
    throw new GuestflowError('InvalidInput', `ip ${ip} is taken: ${answer.mac} on ${bridge} answers at it`, { field: 'ip', value: ip });
}

/** Checks the order against this dom0 and returns it with everything decided. */
export async function planGuest(env: StepEnv, input: { order: GuestOrder; lease: Reservation }): Promise<GuestSpec> {
  const {
    order: { ip: _ip, netmask: _netmask, gateway: _gateway, bridge: _bridge, mac: _mac, ...decided },
    lease: network,
  } = input;
  if (decided.dom0 !== env.settings.host)
    throw new GuestflowError('InvalidInput', `the order is for dom0 ${decided.dom0}, this is ${env.settings.host}`, {
      field: 'dom0',
      value: decided.dom0,
    });
  await mustBeReady(env);
  await mustBeFree(env, input.order);
  await mustFit(env, input.order);
  await mustBeUnused(env, input.order, network);
  await mustBeFetchable(env, input.order);
  return { ...decided, network };
}
