/** What `/v1` gives. The OpenAPI document is made of these schemas, and the answers' types. */
import { z } from 'zod';
import { CONSISTENCIES } from '../../contract/backup.ts';

const time = z.string().meta({ format: 'date-time' });

export const guestSchema = z.object({
  name: z.string(),
  /** Known from the order on. */
  hostname: z.string().meta({ description: 'Host name in the guest.' }),
  order: z.string(),
  plan: z.string(),
  dom0: z.string(),
  phase: z.string(),
  orderedAt: time,
  customer: z.string().optional(),
  ip: z.string().optional(),
  memoryBytes: z.number().optional(),
  vcpus: z.number().optional(),
  diskBytes: z.number().optional(),
  graceUntil: time.optional().meta({ description: 'Until when a termination can be taken back.' }),
  firstBackupAt: time.optional().meta({ description: 'It has no backup yet: when the next attempt at its first one is made by itself.' }),
  proveAt: time.optional().meta({ description: 'When it is next proven that it can be restored from its last backup.' }),
  kept: z
    .object({ role: z.enum(['former', 'restored']), backup: z.string(), takenAt: time, diskBytes: z.number(), keptUntil: time })
    .optional()
    .meta({
      description:
        'The disk beside its own after a restore or a reinstall (`former`: the one of before), or after one that was taken back (`restored`). After a reinstall `backup` is empty.',
    }),
  operation: z.object({ kind: z.string(), startedAt: time }).optional().meta({ description: 'What runs on it.' }),
  waiting: z.array(z.string()).meta({ description: 'What waits behind it.' }),
  warnings: z.array(z.string()),
  error: z.object({ type: z.string(), message: z.string() }).optional(),
});

export const guestRowSchema = guestSchema.pick({ name: true, order: true, plan: true, dom0: true, phase: true, orderedAt: true });
export const guestListSchema = z.object({
  guests: z.array(guestRowSchema),
  next: z.string().optional().meta({ description: 'Cursor of the guests that follow; none when these are the last.' }),
});

export const takenOrderSchema = z.object({ guest: z.string(), order: z.string(), dom0: z.string() });

export const operationSchema = z.object({
  id: z.string(),
  guest: z.string(),
  kind: z.string(),
  state: z.enum(['pending', 'done', 'failed']),
  phase: z.string().optional().meta({ description: 'Phase of the guest after it.' }),
  graceUntil: time.optional(),
  startedAt: time.optional(),
  endedAt: time.optional(),
  steps: z.array(z.object({ name: z.string(), state: z.string(), summary: z.string().optional() })).optional(),
  error: z.object({ type: z.string(), message: z.string() }).optional(),
});
export const cancelledSchema = z.object({
  guest: z.string(),
  cancelled: z.string().optional().meta({ description: 'Kind of what was cancelled. Not there: nothing ran.' }),
});

export const operationListSchema = z.object({ operations: z.array(operationSchema) });

export const backupSchema = z.object({
  id: z.string(),
  takenAt: time,
  bytes: z.number().meta({ description: 'As it lies there.' }),
  dumpedBytes: z.number().meta({ description: 'Before compression.' }),
  engine: z.enum(['blocks', 'dump']),
  consistency: z.enum(CONSISTENCIES).meta({ description: 'How the guest was at that moment.' }),
  state: z
    .enum(['taken', 'verified', 'proven', 'unusable'])
    .meta({ description: 'What is known of it. A guest is restored from `verified` and `proven` ones.' }),
  proof: z
    .object({ at: time, seconds: z.number(), outcome: z.enum(['proven', 'unusable', 'silent']), what: z.string() })
    .optional()
    .meta({ description: 'What came of starting a guest from it, the last time that this was tried.' }),
  isProtected: z.literal(true).optional().meta({ description: 'Retention does not remove it.' }),
  warnings: z.array(z.string()).optional(),
});
export const backupListSchema = z.object({ backups: z.array(backupSchema) });

const traffic = {
  inBytes: z.number().meta({ description: 'To the guest.' }),
  outBytes: z.number().meta({ description: 'From the guest.' }),
};
export const usageSchema = z.object({
  since: time.optional().meta({ description: 'When its traffic was first counted. Not there: it is not counted yet.' }),
  months: z
    .array(z.object({ month: z.string().meta({ description: 'By UTC.', examples: ['2026-01'] }), ...traffic }))
    .meta({ description: 'The last thirteen months with traffic, the newest first.' }),
  diskBytes: z.number().meta({ description: 'Of all its disks on the dom0: root, swap, and one that is kept beside them.' }),
  memoryBytes: z.number().meta({ description: 'What its domain has now; 0 while it is off.' }),
  vcpus: z.number(),
});

export const planListSchema = z.object({
  plans: z.array(
    z.object({
      name: z.string(),
      memoryBytes: z.number(),
      maxMemoryBytes: z.number().optional().meta({ description: 'Up to where its guests grow without a restart.' }),
      vcpus: z.number(),
      maxVcpus: z.number().optional(),
      rate: z
        .string()
        .optional()
        .meta({ description: 'How much its guests send at most. Not there: unlimited.', examples: ['100Mb/s'] }),
      diskBytes: z.number(),
      swapBytes: z.number(),
      type: z.enum(['pv', 'pvh']),
      dist: z.string().meta({ description: 'Distribution of an order that names none.' }),
      graceDays: z.number().meta({ description: 'Days for which a termination can be taken back.' }),
    }),
  ),
});

const amounts = z.object({
  memoryBytes: z.number().meta({ description: "With what Xen needs for the guests' domains." }),
  vcpus: z.number(),
  diskBytes: z.number().meta({ description: 'Of the first pool.' }),
});

export const capacitySchema = z.object({
  dom0s: z.array(
    z.object({
      dom0: z.string(),
      isServed: z.boolean().meta({ description: 'Its worker has asked for work within a minute and a half.' }),
      drained: z.boolean().meta({ description: 'It takes no new guests.' }),
      plans: z.array(z.string()).optional().meta({ description: 'The only plans that it takes. Default: all.' }),
      guests: z.number(),
      sellable: amounts.optional().meta({ description: 'What it has to sell. Not known until its worker has registered, nor is `left`.' }),
      sold: amounts,
      byHand: amounts.meta({ description: 'Taken by what is there without a reservation: guests made by hand, orphans.' }),
      left: amounts.optional().meta({ description: 'Below 0 where more is sold than there is.' }),
      pools: z.array(z.object({ name: z.string(), sellableBytes: z.number(), leftBytes: z.number() })).optional(),
      networks: z.array(z.string()).meta({ description: 'Those that it reaches.' }),
      freeAddresses: z.number().meta({ description: 'Of all these networks, which other dom0s may share.' }),
    }),
  ),
  networks: z.array(
    z.object({
      cidr: z.string(),
      dom0s: z.array(z.string()),
      leased: z.number(),
      free: z.number().meta({ description: 'Addresses that could be leased now.' }),
    }),
  ),
});

export const signInSchema = z.object({
  url: z.string().meta({ format: 'uri', description: 'Where to send the customer. It is used once.' }),
  expiresAt: time,
});

export const consoleSchema = z.object({
  url: z.string().meta({
    format: 'uri',
    description: 'Where to send the browser of whoever is to type. Its ticket, behind the #, opens one console, once, and is in no log.',
  }),
  expiresAt: time,
});

/** RFC 9457. */
export const problemSchema = z.object({
  type: z.string(),
  title: z.string(),
  status: z.number(),
  detail: z.string(),
  field: z.string().optional(),
  reason: z.string().optional(),
  errors: z.array(z.object({ field: z.string(), reason: z.string() })).optional(),
});

export type GuestDocument = z.output<typeof guestSchema>;
export type GuestRowDocument = z.output<typeof guestRowSchema>;
export type OperationDocument = z.output<typeof operationSchema>;
export type PlanDocument = z.output<typeof planListSchema>['plans'][number];
export type CapacityDocument = z.output<typeof capacitySchema>;
