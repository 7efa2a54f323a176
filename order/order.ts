/**
 * An order for a guest: one document, the same on the command line, in a file, in the client library and on the wire.
 * For the edge and for the entry of activities: it loads zod, which workflow code must not.
 */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { GuestflowError } from '../contract/errors.ts';
import { notObject, schemaOf } from './field-schemas.ts';
import type { FieldOf, FlatFields, OrderKey } from '../contract/field-types.ts';
import { FIELDS, inGroups, type FieldTable } from '../contract/fields.ts';
import { whyNotHostIn, networkOf, parseIpv4, prefixOfNetmask } from '../contract/ipv4.ts';
import { ruleProblems } from '../contract/order-rules.ts';
import { roomOf, type Plan, type Plans } from './plans.ts';
import { problemsError, problemsOf, suggestion, type Problem } from './problems.ts';
import type { GuestOrder, UnplacedOrder } from '../contract/guest.ts';
import { defined } from '../contract/defined.ts';

/** The schemas of a table's keys of orders. */
export function orderShape(fields: FieldTable): Record<string, z.ZodType> {
  const rows = Object.entries(fields).flatMap(([key, one]): [string, z.ZodType][] => {
    if (one.order === undefined) return [];
    const schema = schemaOf(one);
    return [[key, one.order.required === true ? schema : schema.optional()]];
  });
  return Object.fromEntries(rows);
}

type OrderShape = { readonly [K in OrderKey]: K extends 'name' ? z.ZodType<FieldOf<K>> : z.ZodOptional<z.ZodType<FieldOf<K>>> };

/**
 * An order as a person writes it. Every key but `name` has a default, from the plan, the dom0 or the network; unknown keys are errors.
 * Sizes are text with a unit: `512Mb`, `8Gb` (as xen-tools, powers of 1024) or `8GiB`. The keys are those of the table of fields.
 */
export const orderSchema = z.strictObject(
  orderShape(FIELDS) as OrderShape,
  notObject('must be a document of keys and values, like {"name": "guest1", "plan": "small"}'),
);

export type { UnplacedOrder };

/** An order as a person writes it. */
export type OrderDocument = z.input<typeof orderSchema>;
type ParsedOrder = z.output<typeof orderSchema>;

export interface ResolveOptions {
  readonly plans: Plans;
  /** Used for what an order does not say. */
  readonly defaults?: { readonly dom0?: string; readonly plan?: string };
}

/**
 * Checks an order and fills in what the plan decides. All problems are found at once.
 *
 * @throws GuestflowError InvalidInput; details name the first problem's field and value, the message every problem
 */
export function checkOrder(raw: unknown, { plans, defaults = {} }: ResolveOptions): UnplacedOrder {
  const parsed = orderSchema.safeParse(raw);
  // The keys that zod accepts are checked further even if other keys are wrong, so that a person gets all problems at once.
  const problems = parsed.success ? [] : problemsOf(parsed.error, raw, Object.keys(orderSchema.shape));
  const planName = (parsed.success ? parsed.data.plan : planNameOf(raw)) ?? defaults.plan ?? [...plans.keys()][0] ?? '';
  const plan = plans.get(planName);
  if (plan === undefined && !problems.some(({ field: at }) => at === 'plan')) {
    problems.push({ field: 'plan', value: planName, reason: `is no plan${suggestion(planName, [...plans.keys()])}` });
  }
  if (parsed.success) problems.push(...contradictions(parsed.data));
  if (!parsed.success || plan === undefined || problems.length > 0) throw problemsError('the order', problems);
  const fields = withPlan(parsed.data, planName, plan, defaults.dom0);
  problems.push(...ruleProblems(fields));
  if (problems.length > 0) throw problemsError('the order', problems);
  const values: Readonly<Record<string, unknown>> = fields;
  return inGroups(FIELDS, (name) => values[name]) as unknown as UnplacedOrder;
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

/** Id of an order that was given without one. It follows from the guest's name: the same name is the same order. */
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

/** Checks address and gateway: they differ, and both are hosts of the network that address and netmask give. */
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

/** What is kept of an order once its plan has filled in what it left out. */
function withPlan(
  order: ParsedOrder,
  planName: string,
  plan: Plan,
  defaultDom0: string | undefined,
): Omit<FlatFields, 'dom0'> & { readonly dom0?: string } {
  // A key that holds undefined would hide the plan's value in a spread.
  const { memory, disk, swap, debootstrap, extra, dom0 = defaultDom0, ...said } = defined(order);
  const { memory: planMemory, disk: planDisk, swap: planSwap, maxMemory: _max, maxVcpus: _most, ...fromPlan } = defined(plan);
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
