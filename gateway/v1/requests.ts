/** What `/v1` takes. The same schemas check requests and make the OpenAPI document. */
import { z } from 'zod';
import { BACKUP_ID } from '../../contract/backup.ts';
import { FIELDS } from '../../contract/fields.ts';
import { DOM0_NAME_PATTERN } from '../../contract/guest-name.ts';
import { customerId, hostname, orderId } from '../../order/billing-events.ts';
import { field, notObject } from '../../order/field-schemas.ts';
import { orderSchema } from '../../order/order.ts';
import { reinstallFields } from '../../order/reinstall.ts';
import { LONGEST_WAIT_SECONDS } from './waiting.ts';

const { name: guestName } = orderSchema.shape;

const billingPart = {
  name: guestName.optional().meta({ description: "Name of the guest. Default: made from the order's id." }),
  order: orderId
    .optional()
    .meta({ description: 'Id of the order: the same id again is the same order. Default: made from Idempotency-Key.' }),
  hostname: hostname.optional().meta({ description: 'Host name in the guest. Default: its name.' }),
  customer: customerId.optional(),
};

/** What `POST /v1/guests` takes beside, or otherwise than, an order of the command line. */
export const billingPartSchema = z.looseObject(billingPart, notObject('must be a document of keys and values'));

/** `POST /v1/guests`. */
export const orderRequestSchema = orderSchema.extend(billingPart).meta({
  description: 'Everything that is left out comes from the plan, the dom0 or the network. Sizes are text with a unit: 512MiB, 8GiB.',
  dependentRequired: { netmask: ['ip'], gateway: ['ip'] },
  not: {
    properties: { debootstrap: { const: true }, installMethod: { const: 'golden' } },
    required: ['debootstrap', 'installMethod'],
  },
});

/** `kind.id`: an operation, as its URL has it. */
export const OPERATION_ID = /^([A-Za-z]{1,20})\.([A-Za-z0-9._-]{1,250})$/;

/** Printable characters without blanks. */
export const IDEMPOTENCY_KEY = /^[!-~]{1,200}$/;

export const waitQuerySchema = z.object({
  wait: z
    .string()
    .regex(/^(?:[1-9]|1[0-9]|20)$/, `must be a whole number from 1 to ${LONGEST_WAIT_SECONDS}`)
    .transform(Number)
    .optional()
    .meta({
      description: 'Seconds for which the answer may wait until the operation has ended; with If-None-Match, until it has changed.',
      type: 'integer',
      minimum: 1,
      maximum: LONGEST_WAIT_SECONDS,
      pattern: undefined,
    }),
});

export const listQuerySchema = z.object({
  limit: z
    .string()
    .regex(/^(?:[1-9]|[1-9][0-9]|1[0-9]{2}|200)$/, 'must be a whole number from 1 to 200')
    .transform(Number)
    .default(50)
    // In a query every value is text; JSON Schema speaks of what that text means.
    .meta({ description: 'Guests in one answer.', type: 'integer', minimum: 1, maximum: 200, default: 50, pattern: undefined }),
  cursor: z
    .string()
    .regex(/^[A-Za-z0-9_-]{1,2000}$/, 'is no cursor: take `next` of the answer before')
    .optional()
    .meta({ description: '`next` of the answer before, with the same token and the same filters. Good for a day.' }),
  phase: z
    .enum(
      ['ordered', 'provisioning', 'running', 'stopped', 'suspended', 'rescue', 'terminating', 'gone', 'failed', 'needs-cleanup', 'lost'],
      {
        error: 'is no phase of a guest',
      },
    )
    .optional()
    .meta({ description: 'Only guests in this phase.' }),
  dom0: field.dom0.optional().meta({ description: 'Only guests of this dom0.' }),
  customer: customerId.optional().meta({ description: 'Only guests of the customer with this id.' }),
});

export const terminateRequestSchema = z
  .strictObject({
    now: z.boolean().default(false).meta({ description: 'Without the grace period: all data is gone at once.' }),
    confirm: guestName.optional().meta({ description: "With now: the guest's name, once more." }),
  })
  .superRefine(({ now, confirm }, context) => {
    if (now && confirm === undefined)
      context.addIssue({ code: 'custom', path: ['confirm'], message: "is missing: with now, it must be the guest's name" });
  })
  .meta({ if: { properties: { now: { const: true } }, required: ['now'] }, then: { properties: { confirm: {} }, required: ['confirm'] } });

export const emptyRequestSchema = z.strictObject({});

const backupId = z
  .string({ error: 'must be text' })
  .regex(BACKUP_ID, 'is no id of a backup, like 20261123T020000Z: take one of the list of backups');

/** A time in UTC, to the second or finer. */
const TIME = /^[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:[.][0-9]{1,3})?Z$/;

export const oneBackupRequestSchema = z.strictObject({
  backup: backupId.optional().meta({ description: 'Which one. Default: the last one.' }),
});

export const restoreRequestSchema = z
  .strictObject({
    backup: backupId.optional().meta({ description: 'Which one. Default: the last one.' }),
    at: z
      .string({ error: 'must be text' })
      .regex(TIME, 'is no time in UTC, like 2026-11-23T02:00:00Z')
      .transform((text) => new Date(text).toISOString())
      .optional()
      .meta({ description: 'The last backup of this time or before. Does not go with `backup`.' }),
    dom0: z.string({ error: 'must be text' }).regex(DOM0_NAME_PATTERN, 'is no name of a dom0').optional().meta({
      description:
        'Of a guest whose dom0 is lost (phase `lost`): the dom0 that gets it, as itself, from one of its `foreignRepositories`. Default: its disk is brought back where it is.',
    }),
  })
  .superRefine(({ backup, at }, context) => {
    if (backup !== undefined && at !== undefined)
      context.addIssue({ code: 'custom', path: ['at'], message: 'does not go with backup: say one of the two' });
  })
  .meta({ not: { properties: { backup: {}, at: {} }, required: ['backup', 'at'] } });

export const resizeRequestSchema = z.strictObject({
  disk: field.disk.meta({ description: 'The new size: 1 GiB to 16 TiB less 4 MiB, a multiple of 4 MiB.' }),
  how: z.enum(['live', 'offline'], { error: 'must be one of live, offline' }).optional().meta({
    description:
      '`live`: while the guest goes on, even if only its owner can grow its file system. `offline`: it is stopped for it, and started again. Default: a managed guest goes on while its disk grows, one that is off stays off, any other is refused.',
  }),
});

const offline = z.enum(['offline'], { error: 'must be offline' }).optional().meta({
  description:
    '`offline`: a guest that runs is stopped for it, and started again. Default: a managed guest goes on, one that is off stays off, a sealed one that runs is refused.',
});

export const passwordRequestSchema = z.strictObject({
  passwordHash: field.passwordHash,
  how: offline,
});

const someKeys = field.sshKeys
  .refine((keys) => keys.length > 0, 'is empty: say "none" to take all keys away')
  .meta({ ...FIELDS.sshKeys.form, minItems: 1 });

export const keysRequestSchema = z.strictObject({
  // That nobody is to have a key is said in words: an empty list may be a mistake.
  sshKeys: z.union([z.literal('none'), someKeys], { error: 'must be a list of public keys, or "none"' }).meta({
    description: 'All public keys that root is to have, or `none`. Others go, but that of guestflow in a managed guest.',
  }),
  how: offline,
});

export const reinstallRequestSchema = z.strictObject({
  ...reinstallFields,
  sshKeys: someKeys
    .optional()
    .meta({ description: 'All public keys that root is to have. Default: the last ones that guestflow has set.' }),
  passwordHash: field.passwordHash.optional().meta({
    description: "crypt(5) hash of root's password. A password itself is never taken. Default: the last one that guestflow has set.",
  }),
});

export const rescueRequestSchema = z.strictObject({
  sshKeys: someKeys.optional().meta({
    description: 'All public keys that root is to have in the rescue system. Default: the last ones that guestflow has set for the guest.',
  }),
  passwordHash: field.passwordHash.optional().meta({
    description:
      "crypt(5) hash of root's password in the rescue system. A password itself is never taken. Default: the last one that guestflow has set for the guest.",
  }),
});

export const hostnameRequestSchema = z.strictObject({
  hostname: hostname.meta({ description: 'The new host name in the guest. Its first label becomes the short name.' }),
  how: offline,
});

export const changePlanRequestSchema = z.strictObject({
  plan: field.plan.meta({ description: 'The new plan. Its disk must not be smaller than the one that the guest has.' }),
  restart: z
    .boolean({ error: 'must be true or false' })
    .default(true)
    .meta({ description: 'Whether a running guest may be restarted for what cannot be changed while it runs.' }),
});

export const signInRequestSchema = z.strictObject({
  seconds: z
    .int({ error: 'must be a whole number from 60 to 300' })
    .min(60, 'must be a whole number from 60 to 300')
    .max(300, 'must be a whole number from 60 to 300')
    .default(120)
    .meta({ description: 'How long the link is good for.' }),
});
