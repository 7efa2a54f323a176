/**
 * An order for a guest: one document, the same on the command line, in a file, in the client library and on the wire.
 * For the edge and for the entry of activities: it loads zod, which workflow code must not.
 */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { GuestflowError } from './errors.ts';
import { field, notObject } from './field-schemas.ts';
import { whyNotHostIn, networkOf, parseIpv4, prefixOfNetmask } from './ipv4.ts';
import { ruleProblems } from './order-rules.ts';
import { roomOf, type Plan, type Plans } from './plans.ts';
import { problemsError, problemsOf, suggestion, type Problem } from './problems.ts';
import type { GuestOrder } from './types.ts';
import { defined } from './defined.ts';

/**
 * An order as a person writes it. Every key but `name` has a default, from the plan, the dom0 or the network; unknown keys are errors.
 * Sizes are text with a unit: `512Mb`, `8Gb` (as xen-tools, powers of 1024) or `8GiB`.
 */
export const orderSchema = z.strictObject(
  {
    /** Host name, domain name and part of the volumes' names. */
    name: field.name,
    /** Id of the order: the same id again is the same order. Default: `manual-<name>`. */
    order: field.order.optional(),
    /** Default: the first plan of the file. */
    plan: field.planName.optional(),
    /** Which dom0. Default: `GUESTFLOW_DOM0`, or one that has room. */
    dom0: field.dom0.optional(),
    /** `pv` or `pvh`. Default: the plan's. */
    type: field.type.optional(),
    /** IPv4 address. Default: the next free one of the dom0's network. */
    ip: field.ip.optional(),
    /** Only with `ip`. Default: the dom0's. */
    netmask: field.netmask.optional(),
    /** Only with `ip`. Default: the dom0's. */
    gateway: field.gateway.optional(),
    /** Default: the plan's, else the dom0's. */
    bridge: field.bridge.optional(),
    /** Default: made from name and address, in Xen's range 00:16:3E. */
    mac: field.mac.optional(),
    /** 256 MiB … 512 GiB. Default: the plan's. */
    memory: field.memory.optional(),
    /** 1 … 64. Default: the plan's. */
    vcpus: field.vcpus.optional(),
    /** Root volume, 1 GiB … 16 TiB less 4 MiB, a multiple of 4 MiB. Default: the plan's. */
    disk: field.disk.optional(),
    /** Swap volume, 16 MiB … 256 GiB, a multiple of 4 MiB. Default: the plan's. */
    swap: field.swap.optional(),
    /** Default: the plan's. */
    dist: field.dist.optional(),
    /** Default: the plan's, else the dom0's. */
    mirror: field.mirror.optional(),
    /** A role of xen-tools. Default: the plan's, else none. */
    role: field.role.optional(),
    /** Words for the guest's kernel, as one string or a list; at most 32. Default: the plan's. */
    extra: field.extra.optional(),
    /** Public keys for root, OpenSSH lines without options; at most 20. Default: none. */
    sshKeys: field.sshKeys.optional(),
    /** Hash of root's password as crypt(5) writes it. Default: no password, it cannot be used to log in. */
    passwordHash: field.passwordHash.optional(),
    /** IANA name. Default: the plan's. */
    timezone: field.timezone.optional(),
    /** Daily backups kept, 1 … 366. Default: the plan's. */
    retention: field.retention.optional(),
    /** Keep the provisioning key in the guest. Default: the plan's. */
    managed: field.managed.optional(),
    /** Default: the plan's. */
    serialDevice: field.serialDevice.optional(),
    /** `ext4` or `ext3`. Default: the plan's. */
    fs: field.fs.optional(),
    /** Mount options of the root file system. Default: the plan's. */
    fsOptions: field.fsOptions.optional(),
    /** `sparse` or `full`. Default: the plan's. */
    image: field.image.optional(),
    /** `golden` or `debootstrap`. Default: the plan's. */
    installMethod: field.installMethod.optional(),
    /** `true` is short for `installMethod: debootstrap`. */
    debootstrap: field.debootstrap.optional(),
    /** Hour and minute of the nightly backup, UTC. Default: made from the name. */
    backupAt: field.backupAt.optional(),
    /** Days for which a terminated guest's disks are kept, 0 … 365. Default: the plan's. */
    graceDays: field.graceDays.optional(),
  },
  notObject('must be a document of keys and values, like {"name": "guest1", "plan": "small"}'),
);

/** An order as a person writes it. */
export type OrderDocument = z.input<typeof orderSchema>;
type ParsedOrder = z.output<typeof orderSchema>;

/** An order whose dom0 is not chosen yet. */
export type UnplacedOrder = Omit<GuestOrder, 'dom0'> & { readonly dom0?: string };

export interface ResolveOptions {
  readonly plans: Plans;
  /** What an order that does not say gets. */
  readonly defaults?: { readonly dom0?: string; readonly plan?: string };
}

/**
 * Checks an order and fills in what the plan decides. All problems are found at once.
 *
 * @throws GuestflowError InvalidInput; details name the first problem's field and value, the message every problem
 */
export function checkOrder(raw: unknown, { plans, defaults = {} }: ResolveOptions): UnplacedOrder {
  const parsed = orderSchema.safeParse(raw);
  // What zod accepts is looked at further even when other keys are wrong: a person wants to hear of everything in one go.
  const problems = parsed.success ? [] : problemsOf(parsed.error, raw, Object.keys(orderSchema.shape));
  const planName = (parsed.success ? parsed.data.plan : planNameOf(raw)) ?? defaults.plan ?? [...plans.keys()][0] ?? '';
  const plan = plans.get(planName);
  if (plan === undefined && !problems.some(({ field: at }) => at === 'plan')) {
    problems.push({ field: 'plan', value: planName, reason: `is no plan${suggestion(planName, [...plans.keys()])}` });
  }
  if (parsed.success) problems.push(...contradictions(parsed.data));
  if (!parsed.success || plan === undefined || problems.length > 0) throw problemsError('the order', problems);
  const order = withPlan(parsed.data, planName, plan, defaults.dom0);
  problems.push(...ruleProblems(order));
  if (problems.length > 0) throw problemsError('the order', problems);
  return order;
}

/** As `checkOrder`, for an order that is about to be placed: the dom0 must be known. */
export function resolveOrder(raw: unknown, options: ResolveOptions): GuestOrder {
  const order = checkOrder(raw, options);
  if (order.dom0 === undefined) {
    throw new GuestflowError(
      'InvalidInput',
      'the order: dom0 is missing, and there is no default: name it with --dom0, in the order, or in GUESTFLOW_DOM0',
      { field: 'dom0' },
    );
  }
  return { ...order, dom0: order.dom0 };
}

/** Id of an order whose giver has none: the same name is the same order. */
export function defaultOrderId(name: string): string {
  const id = `manual-${name}`;
  return id.length <= 64 ? id : `manual-${name.slice(0, 40)}-${createHash('sha256').update(name).digest('hex').slice(0, 16)}`;
}

function planNameOf(raw: unknown): string | undefined {
  const name: unknown = typeof raw === 'object' && raw !== null && 'plan' in raw ? raw.plan : undefined;
  return typeof name === 'string' ? name : undefined;
}

function contradictions(order: ParsedOrder): Problem[] {
  const problems: Problem[] = [];
  if (order.debootstrap === true && order.installMethod === 'golden')
    problems.push({ field: 'debootstrap', value: 'true', reason: 'contradicts installMethod golden: give one of them' });
  for (const key of ['netmask', 'gateway'] as const) {
    if (order.ip === undefined && order[key] !== undefined) {
      problems.push({
        field: key,
        value: order[key],
        reason: 'without ip: the dom0 chooses address, netmask and gateway together; give ip too, or neither',
      });
    }
  }
  problems.push(...misplacedAddresses(order));
  return problems;
}

/** Address and gateway against each other and against the network that the netmask makes of them. */
function misplacedAddresses({ ip, netmask, gateway }: ParsedOrder): Problem[] {
  const address = parseIpv4(ip ?? '');
  if (ip === undefined || address === undefined) return [];
  if (ip === gateway) return [{ field: 'ip', value: ip, reason: "is the gateway's address" }];
  const prefix = netmask === undefined ? undefined : prefixOfNetmask(netmask);
  if (prefix === undefined) return [];
  const network = networkOf(address, prefix);
  const reason = whyNotHostIn(address, network);
  const gatewayReason = gateway === undefined ? undefined : whyNotHostIn(parseIpv4(gateway) ?? 0, network);
  return [
    ...(reason === undefined ? [] : [{ field: 'ip', value: ip, reason: `cannot be a guest's address: ${reason}` }]),
    ...(gatewayReason === undefined || gateway === undefined
      ? []
      : [{ field: 'gateway', value: gateway, reason: `cannot be this guest's gateway: ${gatewayReason}` }]),
  ];
}

function withPlan(order: ParsedOrder, planName: string, plan: Plan, defaultDom0: string | undefined): UnplacedOrder {
  const { memory, disk, swap, debootstrap, extra, dom0 = defaultDom0, ...said } = withoutUndefined(order);
  const { memory: planMemory, disk: planDisk, swap: planSwap, maxMemory: _max, maxVcpus: _most, ...fromPlan } = withoutUndefined(plan);
  const memoryBytes = memory ?? planMemory;
  return {
    ...fromPlan,
    ...said,
    order: order.order ?? defaultOrderId(order.name),
    plan: planName,
    ...defined({ dom0 }),
    memoryBytes,
    ...roomOf(plan, { memoryBytes, vcpus: order.vcpus ?? plan.vcpus }),
    diskBytes: disk ?? planDisk,
    swapBytes: swap ?? planSwap,
    installMethod: debootstrap === true ? 'debootstrap' : (order.installMethod ?? plan.installMethod),
    sshKeys: order.sshKeys ?? [],
    extra: extra ?? plan.extra,
  };
}

/** A key that holds undefined would hide the plan's value in a spread. */
type Defined<T> = { [K in keyof T as undefined extends T[K] ? never : K]: T[K] } & {
  [K in keyof T as undefined extends T[K] ? K : never]?: Exclude<T[K], undefined>;
};

function withoutUndefined<T extends object>(value: T): Defined<T> {
  return Object.fromEntries(Object.entries(value).filter(([, held]) => held !== undefined)) as Defined<T>;
}
