/** The client library, for scripts. The command line is thin over it, and imports the parts that it needs. */
export type { EndpointOptions } from './config.ts';
export type { GuestRow, ListFilter } from './guests/list.ts';
export type { NetworkOrder } from './networks.ts';
export type { AccessWish } from './guests/access.ts';
export type { OperateOptions } from './guests/operate.ts';
export type { PlacedOrder, PlaceOptions } from './guests/place.ts';
export type { ActivityNow, GuestProgress } from './guests/look.ts';
export { checkOrder, resolveOrder, type OrderDocument } from '../order/order.ts';
export { loadPlans } from '../order/plans.ts';
export { GuestflowError } from '../contract/errors.ts';
export type { WaitOptions, WatchOptions } from './guests/watch.ts';
export type { Dom0TaskName, Dom0TaskParameters } from '../contract/workflow-inputs.ts';
export { connect, type Guestflow } from './guestflow.ts';
export type { GuestUsage, MonthTraffic } from '../contract/usage.ts';
export type { Night } from './guests/nights.ts';
export { hashPassword } from './guests/password.ts';
export { isSettled } from './guests/look.ts';
