/** What a token of `/v1` may be for. */
import { OPERATION_SCOPES } from './operation-scopes.ts';

/** Each scope, and what it allows. */
export const SCOPES = {
  'guests:read': 'see guests and their operations',
  'guests:order': 'order guests',
  'guests:sign-in': "make links that sign customers in to the customer's page",
  'guests:console': "open guests' consoles",
  ...OPERATION_SCOPES,
  'plans:read': 'see the plans',
  'fleet:read': 'see the dom0s and networks, and what of each is sold and left',
} as const;

export type Scope = keyof typeof SCOPES;
