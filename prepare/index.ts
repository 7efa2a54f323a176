/** `dom0 prepare`: takes a bare Debian to a dom0, on the host itself. */
import { checkedInterface, checkedVolume } from '../activities/dom0/tools/arguments.ts';
import type { Host } from '../system/host.ts';
import { GuestflowError } from '../contract/errors.ts';
import { formatSize, GiB, MiB, parseSize } from '../contract/sizes.ts';
import { boot, whyReboot } from './boot.ts';
import { bridge } from './bridge/verb.ts';
import { carryOut, plan, type RunInput } from './engine.ts';
import { packages } from './packages.ts';
import { directories, settings } from './settings.ts';
import type { PrepareReport, Verb, Wishes } from './types.ts';
import { volumeGroup } from './volume-group.ts';

export type { PlanRow, PrepareEvent, PrepareReport, Wishes } from './types.ts';

/** In their order: what needs a tool comes after the packages, and the bridge last, since it may cut the way to the host. */
export const VERBS: readonly Verb[] = [packages, boot, settings, directories, volumeGroup, bridge];

async function withReboot(host: Host, wishes: Wishes, report: PrepareReport): Promise<PrepareReport> {
  if (report.rows.some(({ step, state }) => step === 'packages' && state === 'change'))
    return { ...report, reboot: 'Xen is not installed yet' };
  const reboot = await whyReboot(host, wishes);
  return reboot === undefined ? report : { ...report, reboot };
}

/** What is there, and what would be changed. Changes nothing. */
export async function planHost(host: Host, wishes: Wishes): Promise<PrepareReport> {
  return withReboot(host, wishes, { rows: await plan(VERBS, { host, wishes }) });
}

/** Does it. All is undone when anything fails, or the signal comes. */
export async function prepareHost(input: RunInput): Promise<PrepareReport> {
  return withReboot(input.host, input.wishes, { rows: await carryOut(VERBS, input) });
}

/** Flags as they were typed. */
export interface WishFlags {
  readonly bridge?: string;
  readonly volumeGroup?: string;
  readonly dom0Memory?: string;
  readonly confirm?: 'login' | 'gateway';
}

function refuse(field: string, value: string, why: string, mend: string): never {
  throw new GuestflowError('InvalidInput', `${field} ${JSON.stringify(value)}: ${why}`, { field, value, mend });
}

/** Splits NAME=REST. */
function pair(field: string, value: string, example: string): readonly [name: string, rest: string] {
  const [, name, rest] = /^([^=]+)=(.+)$/.exec(value) ?? [];
  if (name === undefined || rest === undefined) return refuse(field, value, 'it is not NAME=…', `write it as in ${field} ${example}`);
  return [name, rest];
}

function bridgeWish(value: string): NonNullable<Wishes['bridge']> {
  const [name, port] = pair('--bridge', value, 'xenbr0=eth0');
  checkedInterface('--bridge', name);
  checkedInterface('--bridge', port);
  if (name === port) refuse('--bridge', value, 'bridge and interface have the same name', 'write it as in --bridge xenbr0=eth0');
  return { name, port };
}

function groupWish(value: string): NonNullable<Wishes['volumeGroup']> {
  const [name, devices] = pair('--volume-group', value, 'vg01=/dev/sdb,/dev/sdc');
  const list = devices.split(',');
  if (list.some((device) => !device.startsWith('/dev/')))
    refuse('--volume-group', value, 'a device is no path below /dev', 'write it as in --volume-group vg01=/dev/sdb,/dev/sdc');
  return { name: checkedVolume('--volume-group', name), devices: list };
}

/** Less than this does not boot Debian with Xen's tools. */
const LEAST_DOM0 = 512 * MiB;
const MOST_DOM0 = 1024 * GiB;

function memoryWish(value: string): number {
  const bytes = parseSize(value);
  if (bytes === undefined || bytes % MiB !== 0)
    return refuse('--dom0-memory', value, 'it is no size in whole MiB', 'write it as in --dom0-memory 2GiB');
  if (bytes < LEAST_DOM0 || bytes > MOST_DOM0)
    refuse(
      '--dom0-memory',
      value,
      `it must be from ${formatSize(LEAST_DOM0)} to ${formatSize(MOST_DOM0)}`,
      'write it as in --dom0-memory 2GiB',
    );
  return bytes / MiB;
}

/** Checks flags, and makes wishes of them. */
export function parseWishes({ bridge: bridgeFlag, volumeGroup: group, dom0Memory, confirm = 'login' }: WishFlags): Wishes {
  return {
    ...(bridgeFlag === undefined ? {} : { bridge: bridgeWish(bridgeFlag) }),
    ...(group === undefined ? {} : { volumeGroup: groupWish(group) }),
    ...(dom0Memory === undefined ? {} : { dom0MemoryMiB: memoryWish(dom0Memory) }),
    confirm,
  };
}
