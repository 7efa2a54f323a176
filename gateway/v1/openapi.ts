/** The OpenAPI 3.1 document of `/v1`, made of the declarations of its routes and the schemas that check requests. */
import { z } from 'zod';
import packageJson from '../../package.json' with { type: 'json' };
import { defined } from '../../contract/defined.ts';
import { SCOPES } from '../../contract/scopes.ts';
import { PATH_PARAMETERS, type Declaration } from './declaration.ts';
import { COMPONENTS, type Component } from './components.ts';
import { IDEMPOTENCY_KEY } from './requests.ts';

/** The document. */
export function openApi(declarations: readonly Declaration[]): object {
  return {
    openapi: '3.1.1',
    info: {
      title: 'guestflow',
      version: packageJson.version,
      description:
        'Guests of a Xen hosting provider: order, see, suspend, resume, back up, restore, resize, change plan, terminate; what can be sold.',
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [{ url: '/', description: 'The gateway that serves this document.' }],
    jsonSchemaDialect: 'https://json-schema.org/draft/2020-12/schema',
    paths: pathsOf(declarations),
    components: {
      schemas: Object.fromEntries(Object.entries(COMPONENTS).map(([component, schema]) => [component, toJsonSchema(schema)])),
      responses: {
        Problem: {
          description: 'It was refused: what is wrong, as RFC 9457 says it.',
          content: { 'application/problem+json': { schema: ref('Problem') } },
        },
      },
      securitySchemes: {
        token: {
          type: 'http',
          scheme: 'bearer',
          description: `Made by \`guestflow gateway token\`. Scopes: ${Object.entries(SCOPES)
            .map(([scope, what]) => `${scope} (${what})`)
            .join(', ')}. It speaks for the provider, for a customer or for a guest: of other guests it learns nothing.`,
        },
      },
    },
  };
}

function pathsOf(declarations: readonly Declaration[]): object {
  const paths: Record<string, Record<string, object>> = {};
  for (const declaration of declarations) {
    const path = declaration.path.replaceAll(/:(\w+)/g, '{$1}');
    paths[path] = { ...paths[path], [declaration.method.toLowerCase()]: describe(declaration) };
  }
  return paths;
}

function describe({ operationId, summary, scope, body, gives, ...takes }: Declaration): object {
  return {
    operationId,
    summary,
    parameters: parametersOf(takes),
    security: [{ token: [scope] }],
    ...(body === undefined ? {} : { requestBody: { required: body.mayBeLeftOut !== true, content: json(body.published) } }),
    responses: {
      ...Object.fromEntries(
        Object.entries(gives).map(([status, [component, description]]) => [
          status,
          { description, headers: takes.method === 'GET' ? { ...RATE, ...ETAG } : RATE, content: json(component) },
        ]),
      ),
      ...(takes.method === 'GET' ? { 304: { description: 'It is what If-None-Match names.', headers: { ...RATE, ...ETAG } } } : {}),
      default: { $ref: '#/components/responses/Problem' },
    },
  };
}

function parametersOf({ method, path, query, isKeyed }: Pick<Declaration, 'method' | 'path' | 'query' | 'isKeyed'>): object[] {
  const names = [...path.matchAll(/:(\w+)/g)].map(([, name = '']) => name);
  return [
    ...names.map((name) => ({ name, in: 'path', required: true, ...PATH_PARAMETERS[name]?.form })),
    ...(query === undefined ? [] : queryParameters(query)),
    ...(isKeyed === true ? [IDEMPOTENCY_KEY_HEADER] : []),
    ...(method === 'GET' ? [IF_NONE_MATCH] : []),
  ];
}

/** Of each answer that is no refusal. */
const RATE = {
  RateLimit: { schema: { type: 'string' }, description: 'What the token may still ask in this minute: `"token";r=REQUESTS;t=SECONDS`.' },
  'RateLimit-Policy': { schema: { type: 'string' }, description: 'What it may ask in a minute: `"token";q=REQUESTS;w=60`.' },
};

const ETAG = { ETag: { schema: { type: 'string' }, description: 'Of this answer: another one has another tag.' } };

const IF_NONE_MATCH = {
  name: 'If-None-Match',
  in: 'header',
  required: false,
  schema: { type: 'string' },
  description: 'ETags of answers that the client has. If the answer would be one of them, it is 304, without a body.',
};

const IDEMPOTENCY_KEY_HEADER = {
  name: 'Idempotency-Key',
  in: 'header',
  required: false,
  schema: { type: 'string', pattern: IDEMPOTENCY_KEY.source },
  description: 'The same key again is the same request, and gets the same answer.',
};

function queryParameters(query: z.ZodObject): object[] {
  const { properties = {} } = toJsonSchema(query) as { properties?: Record<string, { description?: string }> };
  return Object.entries(properties).map(([key, { description, ...schema }]) => ({
    name: key,
    in: 'query',
    required: false,
    ...defined({ description }),
    schema,
  }));
}

function toJsonSchema(schema: z.ZodType): object {
  const { $schema: _dialect, ...rest } = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' });
  return rest;
}

function json(component: Component): object {
  return { 'application/json': { schema: ref(component) } };
}

function ref(component: Component): object {
  return { $ref: `#/components/schemas/${component}` };
}
