/** Guests and the fleet for `/v1`, over the client library. */
import { isOfCustomer } from '../../client/customers.ts';
import { readDom0s } from '../../client/dom0s/fleet.ts';
import { openBackupFiles } from '../../client/guests/backup-files.ts';
import { openConsole } from '../../client/guests/console.ts';
import { pageOfGuests } from '../../client/guests/list.ts';
import { readStatus } from '../../client/guests/look.ts';
import { cancelOperation, operateFor } from '../../client/guests/operate.ts';
import { placeOrder } from '../../client/guests/place.ts';
import { readUsage } from '../../client/guests/usage.ts';
import { listNetworks } from '../../client/networks.ts';
import type { Session } from '../../client/session.ts';
import type { GuestUsage } from '../../contract/usage.ts';
import type { GuestApi } from './guest-api.ts';
import { keepAnswers } from './kept-answers.ts';
import { within } from '../lazy-session.ts';
import { listOperations, readOperation } from './temporal-operations.ts';

/** How long the end of an operation is waited for. Most take longer; the client asks for them later. */
const WAIT_MS = 500;

/** If a call takes longer, the answer is 503. */
const ANSWER_MS = 5_000;

/** Nobody waits for an answer in HTTP: a browser waits on its WebSocket. */
const CONSOLE_MS = 30_000;

/** Nobody waits for an answer in HTTP here either: a page says that it is being opened. */
const FILES_MS = 60_000;

/** Dom0s count once in that time. */
const USAGE_HOLDS_MS = 60_000;

/** Over one connection. */
export function createGuestApi(session: () => Promise<Session>): GuestApi {
  const keptUsage = keepAnswers<GuestUsage>(USAGE_HOLDS_MS);
  const ask = <T>(work: (connected: Session) => Promise<T>): Promise<T> => within(ANSWER_MS, async () => work(await session()));
  return {
    order: (order) =>
      ask(async (connected) => {
        const placed = await placeOrder(connected, order);
        return { guest: placed.name, order: placed.order, dom0: placed.dom0 };
      }),
    isOf: (name, customer) => ask((connected) => isOfCustomer(connected, name, customer)),
    status: (name) => ask((connected) => readStatus(connected, name)),
    usage: (name) =>
      ask(async (connected) => {
        const status = await readStatus(connected, name);
        return keptUsage(`${name}/${status.order}`, () => readUsage(connected, status));
      }),
    list: (request) =>
      ask(async (connected) => {
        const { rows, ...more } = await pageOfGuests(connected, request);
        const guests = rows.map(({ name, order, plan, dom0, phase, orderedAt }) => ({ name, order, plan, dom0, phase, orderedAt }));
        return { guests, ...more };
      }),
    operate: (name, request) => ask((connected) => operateFor(connected, name, request, WAIT_MS)),
    operations: (name) =>
      ask(async (connected) => {
        // Throws NotFound if there is no such guest: an empty list would be the wrong answer.
        await readStatus(connected, name);
        return listOperations(connected, name);
      }),
    operation: (name, kind, id) => ask((connected) => readOperation(connected, name, kind, id)),
    cancel: (name) => ask((connected) => cancelOperation(connected, name)),
    openConsole: (name, console) => within(CONSOLE_MS, async () => openConsole(await session(), name, console)),
    openFiles: (name, wish) => within(FILES_MS, async () => openBackupFiles(await session(), name, wish)),
    fleet: () =>
      ask(async (connected) => {
        const [dom0s, networks] = await Promise.all([readDom0s(connected), listNetworks(connected)]);
        return { dom0s, networks };
      }),
  };
}
