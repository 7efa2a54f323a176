/** All workflow types, for the bundle of billing's tests. */
export * from '../../workflows/index.ts';
export { billingOrder } from '../../workflows/billing-order.ts';
export { holdHostname } from '../../workflows/hold-hostname.ts';
export { notify } from '../../workflows/notify.ts';
