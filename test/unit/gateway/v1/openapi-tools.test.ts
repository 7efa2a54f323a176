/** The OpenAPI document, as the tools of others read it: a linter, and a generator of typed clients. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createConfig, lintFromString } from '@redocly/openapi-core';
import openapiTS, { astToString } from 'openapi-typescript';
import ts from 'typescript';
import { expect, it, onTestFinished } from 'vitest';
import { SCOPES } from '../../../../contract/scopes.ts';
import { BODY_LIMITS } from '../../../../gateway/gateway.ts';
import { openApi } from '../../../../gateway/v1/openapi.ts';
import { DECLARATIONS, v1Routes } from '../../../../gateway/v1/routes.ts';
import { makeToken } from '../../../../gateway/v1/tokens.ts';
import { loadPlans } from '../../../../order/plans.ts';
import { bench } from '../bench.ts';
import { fakeGuests } from '../fake-guests.ts';

const ROOT = new URL('../../../../', import.meta.url).pathname;

/** What the author of a panel writes with the generated types. The lines after `@ts-expect-error` must not pass. */
const PANEL = `
import createClient from 'openapi-fetch';
import type { paths } from './generated.ts';

export async function panel(baseUrl: string, fetch: (request: Request) => Promise<Response>, token: string) {
  const client = createClient<paths>({ baseUrl, fetch, headers: { authorization: \`Bearer \${token}\` } });
  const ordered = await client.POST('/v1/guests', { body: { order: 'A-1', plan: 'small' } });
  const guest: string = ordered.data?.guest ?? '';
  const params = { path: { name: guest } };
  const operation = await client.POST('/v1/guests/{name}/restore', { params, body: { backup: '20260102T020000Z' } });
  const shown = await client.GET('/v1/guests/{name}', { params });
  const refused = await client.GET('/v1/guests/{name}', { params: { path: { name: 'none-such' } } });
  // @ts-expect-error there is no such path
  await client.GET('/v1/guest');
  // @ts-expect-error a backup has a text as its id
  await client.POST('/v1/guests/{name}/restore', { params, body: { backup: 5 } });
  // @ts-expect-error a resize needs its disk
  await client.POST('/v1/guests/{name}/resize', { params, body: {} });
  // @ts-expect-error a guest has no such field
  shown.data?.colour;
  return [guest, operation.data?.state, shown.data?.phase, refused.error?.status] as const;
}
`;

it('has nothing that a linter complains of', async () => {
  const config = await createConfig({
    extends: ['recommended'],
    // Every refusal is the `default` answer.
    rules: { 'operation-4xx-response': 'off' },
  });
  const problems = await lintFromString({ source: JSON.stringify(openApi(DECLARATIONS)), absoluteRef: 'openapi.json', config });
  expect(problems.map(({ ruleId, message, location }) => `${ruleId}: ${message} ${location[0]?.pointer ?? ''}`)).toEqual([]);
});

it('makes a client whose types know what is asked and answered, and which works', async () => {
  // Where its imports are found.
  mkdirSync(join(ROOT, 'dist'), { recursive: true });
  const directory = mkdtempSync(join(ROOT, 'dist', 'client-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  writeFileSync(join(directory, 'generated.ts'), astToString(await openapiTS(JSON.stringify(openApi(DECLARATIONS)))));
  const file = join(directory, 'panel.ts');
  writeFileSync(file, PANEL);
  const program = ts.createProgram([file], {
    strict: true,
    noEmit: true,
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    allowImportingTsExtensions: true,
    lib: ['lib.es2022.d.ts', 'lib.dom.d.ts', 'lib.dom.iterable.d.ts'],
    types: [],
  });
  const complaints = ts
    .getPreEmitDiagnostics(program)
    .map(
      ({ messageText, file: at, start = 0 }) =>
        `${(at?.getLineAndCharacterOfPosition(start).line ?? 0) + 1}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`,
    );
  expect(complaints).toEqual([]);

  const token = makeToken('panel', Object.keys(SCOPES), new Date());
  const routes = v1Routes({ guests: fakeGuests(), plans: await loadPlans(), tokens: () => [token.record], body: BODY_LIMITS });
  const { gateway } = await bench({ routes });
  const { panel } = (await import(file)) as { panel: (url: string, fetch: typeof gateway, token: string) => Promise<unknown[]> };
  const [guest, state, phase, refused] = await panel('http://gateway', gateway, token.token);
  expect([typeof guest, state, typeof phase, refused]).toEqual(['string', 'pending', 'string', 404]);
});
