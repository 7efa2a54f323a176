/** Plans: named sets of defaults for orders. The shipped ones are in `plans.yaml`; an operator's own file replaces them. */
import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { parseDocument } from './document.ts';
import { GuestflowError } from './errors.ts';
import { field, notObject } from './field-schemas.ts';
import { ruleProblems } from './order-rules.ts';
import { problemsError, problemsOf, type Problem } from './problems.ts';
import type { PlanChange } from './types.ts';

/**
 * One plan. Sizes as in orders. Every key but the four sizes has a default.
 *
 * Keys of xen-tools.conf and their names here: `memory`, `size` → `disk`, `swap`, `fs`, `ext3_options` → `fsOptions`, `dist`, `image`,
 * `mirror`, `serial_device` → `serialDevice`, `install-method` → `installMethod`. `dir`, `kernel` and `initrd` belong to the dom0.
 */
export const planSchema = z.strictObject(
  {
    /** Guest type. Default: `pv`. */
    type: field.type.default('pv'),
    memory: field.memory,
    vcpus: field.vcpus,
    /** To what a running guest can be grown by a change of its plan. Default: `memory`, which is not at all. */
    maxMemory: field.memory.optional(),
    /** The same for vcpus. Default: `vcpus`. */
    maxVcpus: field.vcpus.optional(),
    /** Size of the root volume. */
    disk: field.disk,
    /** Size of the swap volume. */
    swap: field.swap,
    /** Default: `bookworm`. */
    dist: field.dist.default('bookworm'),
    /** File system of the root volume. Default: `ext4`. */
    fs: field.fs.default('ext4'),
    /** Mount options of the root file system. Default: those of the how-to. */
    fsOptions: field.fsOptions.default('noatime,nodiratime,errors=remount-ro'),
    /** Whether the image file may have holes while the guest is made. Default: `sparse`. */
    image: field.image.default('sparse'),
    /** Default: `golden`. */
    installMethod: field.installMethod.default('golden'),
    /** Default: `hvc0`. */
    serialDevice: field.serialDevice.default('hvc0'),
    /** Default: `Etc/UTC`. */
    timezone: field.timezone.default('Etc/UTC'),
    /** Default: seven daily backups. */
    retention: field.retention.default({ daily: 7 }),
    /** Keep the provisioning key in the guest. Default: false. */
    managed: field.managed.default(false),
    /** Words for the guest's kernel. Default: none. */
    extra: field.extra.default([]),
    /** Days for which a terminated guest's disks are kept. Default: 7. */
    graceDays: field.graceDays.default(7),
    /** Days for which the backups of a guest are kept after its disks are gone. `terminate --now` keeps none. Default: 0. */
    keepBackupsDays: field.keepBackupsDays.optional(),
    /** How a guest is suspended: `shutdown`, or `pause`: its memory stays as it is, and stays taken. Default: `shutdown`. */
    suspend: field.suspend.optional(),
    /** What is done when a guest's domain ends and nobody asked for that: `always`, `on-crash` or `never` start it again. Default: `always`. */
    restart: field.restart.optional(),
    /** Default: the dom0's own. */
    mirror: field.mirror.optional(),
    /** A role of xen-tools, run before guestflow's own. Default: none. */
    role: field.role.optional(),
    /** Default: the dom0's own bridge. */
    bridge: field.bridge.optional(),
  },
  notObject('must be a plan: keys and values'),
);

export type Plan = z.output<typeof planSchema>;

/** Room above a guest's own size, where its plan gives any: what Xen is told at the guest's start. */
export function roomOf({ maxMemory, maxVcpus }: Pick<Plan, 'maxMemory' | 'maxVcpus'>, own: { memoryBytes: number; vcpus: number }): Room {
  return {
    ...(maxMemory === undefined || maxMemory <= own.memoryBytes ? {} : { maxMemoryBytes: maxMemory }),
    ...(maxVcpus === undefined || maxVcpus <= own.vcpus ? {} : { maxVcpus }),
  };
}

type Room = Pick<PlanChange, 'maxMemoryBytes' | 'maxVcpus'>;

/** What changing to a plan means for a guest. */
export function planChange(plan: string, { memory, vcpus, disk, ...rest }: Plan, mayRestart: boolean): PlanChange {
  return { plan, memoryBytes: memory, vcpus, ...roomOf(rest, { memoryBytes: memory, vcpus }), diskBytes: disk, mayRestart };
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
  const parsed = z.record(field.planName, planSchema, { error: 'must be a list of plans by name' }).safeParse(raw);
  if (!parsed.success) throw problemsError(what, problemsOf(parsed.error, raw, Object.keys(planSchema.shape)));
  const plans = new Map(Object.entries(parsed.data));
  const problems = [...plans].flatMap(([name, plan]) => rulesOf(name, plan));
  if (problems.length > 0) throw problemsError(what, problems);
  if (plans.size === 0) throw new GuestflowError('InvalidInput', `${what} holds no plan`, { field: 'plans' });
  return plans;
}

/** What one key of a plan asks of another. */
function rulesOf(name: string, { memory: memoryBytes, maxMemory: maxMemoryBytes, ...plan }: Plan): Problem[] {
  return ruleProblems({ ...plan, memoryBytes, maxMemoryBytes }).map((problem) => ({ ...problem, field: `${name}.${problem.field}` }));
}
