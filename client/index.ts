/** The client library, for scripts. The command line is thin over it, and imports the parts that it needs. */
export type { EndpointOptions } from './config.ts';
export type { Dom0TaskName, Dom0TaskParameters } from './dom0.ts';
export type { GuestRow, ListFilter } from './listing.ts';
export type { NetworkOrder } from './networks.ts';
export type { OrderToReserve, PlaceOptions } from './placement.ts';
export type { ActivityNow, GuestProgress } from './progress.ts';
export { checkOrder, resolveOrder, type OrderDocument } from '../order/order.ts';
export { loadPlans } from '../order/plans.ts';
export { GuestflowError } from '../contract/errors.ts';
export { connect, type Guestflow, type OperateOptions, type WatchOptions } from './guestflow.ts';
export type { Night } from './nights.ts';
export { hashPassword } from './password.ts';
export { isSettled } from './progress.ts';
