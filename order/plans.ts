/** Plans: named sets of defaults for orders. The shipped ones are in `plans.yaml`; an operator's own file replaces them. */
import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { defined } from '../contract/defined.ts';
import { parseDocument } from './document.ts';
import { GuestflowError } from '../contract/errors.ts';
import { field, notObject, schemaOf } from './field-schemas.ts';
import type { FieldOf, OptionalPlanKey, PlanKey, RequiredPlanKey } from '../contract/field-types.ts';
import { FIELDS, type FieldTable } from '../contract/fields.ts';
import { ruleProblems } from '../contract/order-rules.ts';
import { problemsError, problemsOf, type Problem } from './problems.ts';
import type { PlanChange } from '../contract/guest-requests.ts';

/** The schemas of a table's keys of plans. */
export function planShape(fields: FieldTable): Record<string, z.ZodType> {
  const rows = Object.entries(fields).flatMap(([key, one]): [string, z.ZodType][] => {
    if (one.plan === undefined) return [];
    const schema = schemaOf(one);
    if (one.plan === 'required') return [[key, schema]];
    return [[key, one.plan === 'optional' ? schema.optional() : schema.default(one.plan.byDefault)]];
  });
  return Object.fromEntries(rows);
}

type PlanShape = {
  readonly [K in PlanKey]: K extends RequiredPlanKey
    ? z.ZodType<FieldOf<K>>
    : K extends OptionalPlanKey
      ? z.ZodOptional<z.ZodType<FieldOf<K>>>
      : z.ZodDefault<z.ZodType<FieldOf<K>>>;
};

/**
 * One plan. Sizes as in orders. Every key but the four sizes has a default. The keys are those of the table of fields.
 *
 * Keys of xen-tools.conf and their names here: `memory`, `size` → `disk`, `swap`, `fs`, `ext3_options` → `fsOptions`, `dist`, `image`,
 * `mirror`, `serial_device` → `serialDevice`, `install-method` → `installMethod`. `dir`, `kernel` and `initrd` belong to the dom0.
 */
export const planSchema = z.strictObject(planShape(FIELDS) as PlanShape, notObject('must be a plan: keys and values'));

export type Plan = z.output<typeof planSchema>;

/** How far a guest may grow while it runs, if its plan allows that. Xen is told at the guest's start. */
export function roomOf({ maxMemory, maxVcpus }: Pick<Plan, 'maxMemory' | 'maxVcpus'>, own: { memoryBytes: number; vcpus: number }): Room {
  return {
    ...(maxMemory === undefined || maxMemory <= own.memoryBytes ? {} : { maxMemoryBytes: maxMemory }),
    ...(maxVcpus === undefined || maxVcpus <= own.vcpus ? {} : { maxVcpus }),
  };
}

type Room = Pick<PlanChange, 'maxMemoryBytes' | 'maxVcpus'>;

/** What changing to a plan means for a guest. */
export function planChange(plan: string, { memory, vcpus, disk, rate, ...rest }: Plan, mayRestart: boolean): PlanChange {
  const room = roomOf(rest, { memoryBytes: memory, vcpus });
  return { plan, memoryBytes: memory, vcpus, ...room, ...defined({ rate }), diskBytes: disk, mayRestart };
}

/** Plans by name, in the order of the file: the first is the default. */
export type Plans = ReadonlyMap<string, Plan>;

/**
 * Reads plans.
 *
 * @param path a file of the operator's own. Default: the shipped `plans.yaml`
 * @throws GuestflowError InvalidInput with file, line, plan and key
 */
export async function loadPlans(path?: string): Promise<Plans> {
  const shipped = new URL('../plans.yaml', import.meta.url);
  const what = path === undefined ? 'plans.yaml' : `the file of plans ${path}`;
  const bytes = await readFile(path ?? shipped).catch((error: unknown) => {
    throw new GuestflowError('InvalidInput', `${what} cannot be read: ${error instanceof Error ? error.message : String(error)}`, {
      field: 'plans',
    });
  });
  return parsePlans(bytes, what);
}

/** Plans of a document. */
export function parsePlans(bytes: Uint8Array, what: string): Plans {
  const raw = parseDocument(bytes, what);
  const parsed = z.record(field.plan, planSchema, { error: 'must be a list of plans by name' }).safeParse(raw);
  if (!parsed.success) throw problemsError(what, problemsOf(parsed.error, raw, Object.keys(planSchema.shape)));
  const plans = new Map(Object.entries(parsed.data));
  const problems = [...plans].flatMap(([name, plan]) => rulesOf(name, plan));
  if (problems.length > 0) throw problemsError(what, problems);
  if (plans.size === 0) throw new GuestflowError('InvalidInput', `${what} holds no plan`, { field: 'plans' });
  return plans;
}

/** Checks of keys that depend on other keys. */
function rulesOf(name: string, { memory: memoryBytes, maxMemory: maxMemoryBytes, ...plan }: Plan): Problem[] {
  return ruleProblems({ ...plan, memoryBytes, maxMemoryBytes }).map((problem) => ({ ...problem, field: `${name}.${problem.field}` }));
}
