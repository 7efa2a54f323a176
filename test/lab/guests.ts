/** A guest of the lab, looked at from outside: by its customer's login, by dom0's own tools, by Temporal. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseVolumes, VOLUME_COLUMNS, type Volume } from '../../activities/dom0/storage/lvm/reports.ts';
import { until } from '../../system/until.ts';
import { createRunner } from '../../system/run.ts';
import { parseDomainList } from '../../activities/dom0/toolstack/xl/xl.ts';
import { GuestflowError } from '../../contract/errors.ts';
import type { DomainRow } from '../../contract/dom0.ts';
import type { GuestOrder, GuestStatus } from '../../contract/guest.ts';
import { differences, inventoryOf, withoutGuests, type Inventory } from './inventory.ts';
import type { Rig } from './rig.ts';

/** A command of the customer in the guest, by the customer's key; the guest must show the host key that dom0 knows. */
export async function inGuest(rig: Rig, { name }: Pick<GuestOrder, 'name'>, ip: string, script: string): Promise<string> {
  const knownHosts = join(rig.stateDir, `known_hosts.${name}`);
  await writeFile(knownHosts, await onDom0(rig, `cat /var/lib/guestflow/guests/${name}/known_hosts`));
  const options = [
    `ProxyCommand=ssh -F ${rig.sshConfigFile} -W %h:%p dom0`,
    `UserKnownHostsFile=${knownHosts}`,
    'StrictHostKeyChecking=yes',
    'HostKeyAlgorithms=ssh-ed25519',
    'BatchMode=yes',
    'IdentitiesOnly=yes',
    'ConnectTimeout=60',
    'LogLevel=ERROR',
  ];
  const { stdout } = await createRunner().run(
    'ssh',
    ['-F', '/dev/null', '-i', rig.keyFile, ...options.flatMap((option) => ['-o', option]), `root@${ip}`, '--', script],
    { timeoutMs: 120_000, label: `login to ${name}` },
  );
  return stdout;
}

/** What a script of the shell says on dom0. */
export async function onDom0(rig: Rig, script: string, timeoutMs = 120_000): Promise<string> {
  return (await rig.lab.exec(['sh', '-euc', script], { timeoutMs, label: script.trim().split('\n')[0] ?? 'sh' })).stdout;
}

export async function domainOf(rig: Rig, name: string): Promise<DomainRow | undefined> {
  return parseDomainList(await onDom0(rig, 'xl list')).find((row) => row.name === name);
}

/** The volumes whose names end with the guest's. */
export async function volumesOf(rig: Rig, name: string): Promise<Volume[]> {
  const text = await onDom0(rig, `lvs --reportformat json --units b --nosuffix -o ${VOLUME_COLUMNS} vg01`);
  return parseVolumes(text).filter((volume) => volume.name.replace(/^del-/, '').startsWith(`${name}-`));
}

/** The devices that the domain's disks stand on, as the hypervisor's own store has them. */
export async function disksOf(rig: Rig, id: number): Promise<string[]> {
  return (
    await onDom0(
      rig,
      `for disk in $(xenstore-list /local/domain/0/backend/vbd/${String(id)}); do xenstore-read /local/domain/0/backend/vbd/${String(id)}/$disk/params; done`,
    )
  )
    .trim()
    .split('\n')
    .sort();
}

/** Orders a guest and waits until the order is done or undone. */
export async function orderAndWait(rig: Rig, order: GuestOrder): Promise<GuestStatus> {
  await rig.flow.order(order);
  return rig.flow.waitFor(order.name);
}

/** A worker that starts again may wait for a step to end before. */
const REGISTERED_LIMIT_MS = 240_000;

/** Waits until the dom0 has registered with this pool. */
export async function untilPoolsAre(rig: Rig, name: string): Promise<void> {
  const isSo = async (): Promise<boolean> => (await rig.flow.dom0State('lab')).facts?.pools[0]?.name === name;
  if (!(await until(isSo, { everyMs: 1_000, limitMs: REGISTERED_LIMIT_MS }))) throw new Error(`the lab's dom0 does not sell ${name}`);
}

/** How long a worker that was killed may take to answer again: it bundles the workflows anew, beside an emulator. */
const ANSWERS_AGAIN_MS = 240_000;

/** Waits until that step of the guest's order has begun, or the order is over. A control worker that has just been killed is waited for. */
export async function untilStep(rig: Rig, name: string, step: string, signal?: AbortSignal): Promise<void> {
  const deadline = Date.now() + ANSWERS_AGAIN_MS;
  for (;;) {
    try {
      for await (const { operation } of rig.flow.watch(name, { intervalMs: 250, ...(signal === undefined ? {} : { signal }) })) {
        const state = operation?.steps.find((candidate) => candidate.name === step)?.state;
        if (state !== undefined && state !== 'pending') return;
      }
      return;
    } catch (error) {
      if (!(error instanceof GuestflowError) || error.type !== 'Unreachable' || Date.now() > deadline) throw error;
    }
  }
}

/**
 * In words, how the guest is not as it was ordered, and what beside it is not as before; empty when all is well.
 *
 * @param others names of guests that may have come or gone since.
 */
export async function complaintsAbout(rig: Rig, order: GuestOrder, before: Inventory, others: readonly string[] = []): Promise<string[]> {
  const { name } = order;
  const status = await rig.flow.status(name);
  const domain = await domainOf(rig, name);
  const disks = domain === undefined ? [] : await disksOf(rig, domain.id);
  const volumes = await volumesOf(rig, name);
  const seen = {
    phase: status.phase,
    disks,
    volumes: volumes
      .map((volume) => `${volume.name} ${String(volume.bytes)} ${volume.tags.includes('guestflow.unfinished') ? 'unfinished' : 'whole'}`)
      .sort(),
    cfg: (await onDom0(rig, `head -n 1 /etc/xen/${name}.cfg; grep '^on_crash' /etc/xen/${name}.cfg`))
      .replaceAll('"', "'")
      .trim()
      .split('\n')
      .map((line) => line.replace(/ - .*/, '').replace(/\s+/g, ' ')),
    autostart: (await onDom0(rig, `readlink /etc/xen/auto/${name}.cfg || true`)).trim(),
    image: (await onDom0(rig, `ls -d /home/xen/domains/${name} /home/xen/.guestflow/${name} 2>/dev/null || true`)).trim(),
    // The cfg of before its last change of plan stays, and what was counted of its traffic.
    state: (await onDom0(rig, `ls -A --ignore=former-cfg.json --ignore=traffic.json /var/lib/guestflow/guests/${name}`)).trim(),
    backups: [
      ...new Set(
        (await onDom0(rig, `ls -A /var/backups/guestflow/${name}`))
          .trim()
          .split('\n')
          .map((file) => file.replace(/^\d{8}T\d{6}Z/, 'TIME'))
          // A backup has one once it was proven.
          .filter((file) => file !== 'TIME.proof.json'),
      ),
    ]
      .sort()
      .join(' '),
    root: (await inGuest(rig, order, status.spec?.network.ip ?? '', 'findmnt -n -o SOURCE /')).trim(),
  };
  const wanted: typeof seen = {
    phase: 'running',
    disks: ['root', 'swap'].map((volume) => `/dev/vg01/${name}-${volume}`),
    volumes: [`${name}-root ${String(order.size.diskBytes)} whole`, `${name}-swap ${String(order.size.swapBytes)} whole`],
    cfg: [`# guestflow: guest=${name} order=${order.order}`, "on_crash = 'restart'"],
    autostart: `/etc/xen/${name}.cfg`,
    image: '',
    state: `guestflow.json\nknown_hosts${order.access.managed ? '\nprovision_key\nprovision_key.pub' : ''}`,
    backups: 'TIME.img.zst TIME.json guestflow.json',
    root: '/dev/xvda2',
  };
  const keys = Object.keys(wanted) as (keyof typeof wanted)[];
  return [
    ...keys.flatMap((key) =>
      JSON.stringify(seen[key]) === JSON.stringify(wanted[key])
        ? []
        : [`${key}: ${JSON.stringify(seen[key])} instead of ${JSON.stringify(wanted[key])}`],
    ),
    ...differences(withoutGuests(before, [name, ...others]), withoutGuests(await inventoryOf(rig.lab), [name, ...others])),
  ];
}

/**
 * In words, what an order that was undone has left on the dom0, in its ledger and in Temporal; empty when all is as before.
 *
 * @param others names of guests that may have come or gone since.
 */
export async function leftOf(rig: Rig, order: GuestOrder, before: Inventory, others: readonly string[] = []): Promise<string[]> {
  const { promised } = await rig.flow.dom0State(order.dom0);
  const schedule = await rig.temporal.schedule
    .getHandle(`nightly/${order.name}`)
    .describe()
    .catch(() => undefined);
  return [
    ...differences(withoutGuests(before, others), withoutGuests(await inventoryOf(rig.lab), others)),
    ...(promised.some(({ guest }) => guest === order.name) ? ['the ledger still promises it its part'] : []),
    ...(schedule === undefined ? [] : ['its schedule is still there']),
  ];
}
