/** Guests: ordered, listed, shown. */
import { guestNameOfOrder } from '../../order/billing-events.ts';
import { defined } from '../../contract/defined.ts';
import type { GuestStatus } from '../../contract/guest.ts';
import { operationWorkflowId } from '../../contract/names.ts';
import { checkOrder } from '../../order/order.ts';
import { jsonResponse } from '../../system/http/problem.ts';
import { invalid } from '../http/check.ts';
import { openCursor, signCursor } from './cursor.ts';
import { customerOf, onlyOwn } from './subjects.ts';
import { declare, idOfKey } from './declaration.ts';
import { backupListSchema, guestSchema, usageSchema, type GuestDocument } from './answers.ts';
import { billingPartSchema, listQuerySchema } from './requests.ts';

const order = declare({
  method: 'POST',
  path: '/v1/guests',
  operationId: 'orderGuest',
  summary: 'Order a guest',
  scope: 'guests:order',
  about: 'order',
  isKeyed: true,
  // The rest of an order depends on the plans: `checkOrder` has it.
  body: { published: 'Order', checks: billingPartSchema },
  gives: { 202: ['TakenOrder', 'The order is taken; the guest is being made.'] },
  async answer({ body, key, token, subject, note }, { guests, plans }) {
    const { order: given, name, hostname, customer = customerOf(subject), ...document } = body;
    const id = given ?? (key === undefined ? undefined : idOfKey({ token }, key));
    if (id === undefined)
      throw invalid([
        {
          field: 'order',
          reason: 'is missing, and so is Idempotency-Key: without either a request that is sent twice would be two orders',
        },
      ]);
    const unplaced = checkOrder({ ...document, order: id, name: name ?? guestNameOfOrder(id) }, { plans });
    const taken = await guests.order({ ...unplaced, ...defined({ hostname, customer }) });
    note({ guest: taken.guest, order: taken.order, workflow: operationWorkflowId(taken.guest, 'provision', taken.order) });
    return jsonResponse(202, taken, { location: `/v1/guests/${encodeURIComponent(taken.guest)}` });
  },
});

const list = declare({
  method: 'GET',
  path: '/v1/guests',
  operationId: 'listGuests',
  summary: 'List the guests',
  scope: 'guests:read',
  about: 'list',
  query: listQuerySchema,
  gives: { 200: ['GuestList', 'Guests, newest first. A change may take a second to show.'] },
  async answer({ query: { limit, cursor, ...filters }, token, subject }, { guests }) {
    const scope = { token: token.sha256, filters };
    const own = onlyOwn(subject, filters);
    if (own === undefined) return jsonResponse(200, { guests: [] });
    const page = await guests.list({ limit, ...own, ...(cursor === undefined ? {} : { cursor: openCursor(cursor, scope) }) });
    return jsonResponse(200, { guests: page.guests, ...(page.next === undefined ? {} : { next: signCursor(page.next, scope) }) });
  },
});

const show = declare({
  method: 'GET',
  path: '/v1/guests/:name',
  operationId: 'getGuest',
  summary: 'See a guest',
  scope: 'guests:read',
  about: 'guest',
  gives: { 200: ['Guest', 'The guest.'] },
  answer: async ({ path }, { guests }) => jsonResponse(200, toDocument(await guests.status(path.name))),
});

const backups = declare({
  method: 'GET',
  path: '/v1/guests/:name/backups',
  operationId: 'listBackups',
  summary: "A guest's backups, and what is known of each",
  scope: 'guests:read',
  about: 'guest',
  gives: { 200: ['BackupList', 'Its last 30 backups and the protected ones, newest first.'] },
  answer: async ({ path }, { guests }) =>
    jsonResponse(200, backupListSchema.parse({ backups: (await guests.status(path.name)).backups.toReversed() })),
});

const usage = declare({
  method: 'GET',
  path: '/v1/guests/:name/usage',
  operationId: 'getUsage',
  summary: "A guest's traffic by month, and what it has now",
  scope: 'guests:read',
  about: 'guest',
  gives: { 200: ['Usage', 'As its dom0 has it, at most a minute old.'] },
  answer: async ({ path }, { guests }) => jsonResponse(200, usageSchema.parse(await guests.usage(path.name))),
});

export const GUEST_ROUTES = [order, list, show, backups, usage];

/** What is shown of a guest: what the published schema names, and nothing else. Keys and hashes of passwords are not in it. */
function toDocument(status: GuestStatus): GuestDocument {
  const { spec, name, hostname = name, queued } = status;
  return guestSchema.parse({
    ...status,
    hostname,
    waiting: queued,
    ...spec?.size,
    ip: spec?.network.ip,
    customer: status.customer ?? spec?.customer,
  });
}
