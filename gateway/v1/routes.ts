/** `/v1`: the REST API for panels and scripts. It does what the command line does, through the same library. */
import { jsonResponse } from '../../system/http/problem.ts';
import type { Route } from '../../system/http/router.ts';
import { CONSOLE_ROUTES } from './console.ts';
import { toRoute, type Declaration, type V1Options } from './declaration.ts';
import { FLEET_ROUTES } from './fleet.ts';
import { GUEST_ROUTES } from './guests.ts';
import { openApi } from './openapi.ts';
import { OPERATION_ROUTES } from './operations.ts';
import { createCount } from './rate.ts';
import { SIGN_IN_ROUTES } from './sign-in.ts';
import { createWaiting } from './waiting.ts';

/** All that there is below `/v1` with a token. */
export const DECLARATIONS: readonly Declaration[] = [
  ...GUEST_ROUTES,
  ...OPERATION_ROUTES,
  ...SIGN_IN_ROUTES,
  ...CONSOLE_ROUTES,
  ...FLEET_ROUTES,
];

/** The routes, and the document of them. */
export function v1Routes(options: V1Options): Route[] {
  const document = openApi(DECLARATIONS);
  const shared = { count: createCount(), waitForNews: createWaiting(options.stopping) };
  return [
    { method: 'GET', path: '/v1/openapi.json', handle: () => jsonResponse(200, document, { 'cache-control': 'max-age=300' }) },
    ...DECLARATIONS.map((declaration) => toRoute(declaration, options, shared)),
  ];
}
