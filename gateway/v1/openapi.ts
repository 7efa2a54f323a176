/** The OpenAPI 3.1 document of `/v1`, made of the schemas that check requests. */
import { z } from 'zod';
import packageJson from '../../package.json' with { type: 'json' };
import { GUEST_NAME_FORM } from '../../contract/guest-name.ts';
import { OPERATION_KINDS, operationRecord } from '../../contract/operations.ts';
import { SCOPES, type Scope } from './tokens.ts';
import {
  emptyRequestSchema,
  guestListSchema,
  guestSchema,
  IDEMPOTENCY_KEY,
  listQuerySchema,
  OPERATION_ID,
  operationListSchema,
  operationSchema,
  orderRequestSchema,
  problemSchema,
  takenOrderSchema,
  terminateRequestSchema,
} from './schemas.ts';
import { defined } from '../../contract/defined.ts';

const COMPONENTS = {
  Order: orderRequestSchema,
  Guest: guestSchema,
  GuestList: guestListSchema,
  TakenOrder: takenOrderSchema,
  Operation: operationSchema,
  OperationList: operationListSchema,
  Terminate: terminateRequestSchema,
  Empty: emptyRequestSchema,
  Problem: problemSchema,
} as const;

type Component = keyof typeof COMPONENTS;

interface Operation {
  readonly operationId: string;
  readonly summary: string;
  readonly scope: Scope;
  readonly parameters?: readonly object[];
  readonly takes?: Component;
  readonly isBodyOptional?: boolean;
  readonly gives: Readonly<Record<number, readonly [component: Component, description: string]>>;
}

const name = {
  name: 'name',
  in: 'path',
  required: true,
  schema: { type: 'string', ...GUEST_NAME_FORM },
  description: 'Name of the guest.',
  example: 'guest1',
};
const operationId = {
  name: 'id',
  in: 'path',
  required: true,
  schema: { type: 'string', pattern: OPERATION_ID.source },
  description: 'Id of the operation.',
};
const idempotencyKey = {
  name: 'Idempotency-Key',
  in: 'header',
  required: false,
  schema: { type: 'string', pattern: IDEMPOTENCY_KEY.source },
  description: 'The same key again is the same request, and gets the same answer.',
};

function operating(kind: string, summary: string, scope: Scope, takes: Component): Operation {
  return {
    operationId: `${kind}Guest`,
    summary,
    scope,
    parameters: [name, idempotencyKey],
    takes,
    isBodyOptional: true,
    gives: { 200: ['Operation', 'It is done, or it failed.'], 202: ['Operation', 'It goes on.'] },
  };
}

const PATHS: Readonly<Record<string, Readonly<Record<string, Operation>>>> = {
  '/v1/guests': {
    post: {
      operationId: 'orderGuest',
      summary: 'Order a guest',
      scope: 'guests:order',
      parameters: [idempotencyKey],
      takes: 'Order',
      gives: { 202: ['TakenOrder', 'The order is taken; the guest is being made.'] },
    },
    get: {
      operationId: 'listGuests',
      summary: 'List the guests',
      scope: 'guests:read',
      parameters: queryParameters(),
      gives: { 200: ['GuestList', 'Guests, newest first. A change may take a second to show.'] },
    },
  },
  '/v1/guests/{name}': {
    get: {
      operationId: 'getGuest',
      summary: 'See a guest',
      scope: 'guests:read',
      parameters: [name],
      gives: { 200: ['Guest', 'The guest.'] },
    },
  },
  ...Object.fromEntries(
    OPERATION_KINDS.flatMap((kind) => {
      const { api } = operationRecord(kind);
      return api === undefined ? [] : [[`/v1/guests/{name}/${api.path}`, { post: operating(kind, api.summary, api.scope, api.takes) }]];
    }),
  ),
  '/v1/guests/{name}/operations': {
    get: {
      operationId: 'listOperations',
      summary: 'What was done with a guest',
      scope: 'guests:read',
      parameters: [name],
      gives: { 200: ['OperationList', 'Its operations, newest first.'] },
    },
  },
  '/v1/guests/{name}/operations/{id}': {
    get: {
      operationId: 'getOperation',
      summary: 'See an operation and its steps',
      scope: 'guests:read',
      parameters: [name, operationId],
      gives: { 200: ['Operation', 'The operation.'] },
    },
  },
};

/** The document. */
export function openApi(): object {
  const schemas = Object.fromEntries(Object.entries(COMPONENTS).map(([component, schema]) => [component, toJsonSchema(schema)]));
  return {
    openapi: '3.1.1',
    info: {
      title: 'guestflow',
      version: packageJson.version,
      description: 'Guests of a Xen hosting provider: order, see, suspend, resume, terminate.',
      license: { name: 'MIT', identifier: 'MIT' },
    },
    jsonSchemaDialect: 'https://json-schema.org/draft/2020-12/schema',
    paths: Object.fromEntries(
      Object.entries(PATHS).map(([path, methods]) => [
        path,
        Object.fromEntries(Object.entries(methods).map(([method, operation]) => [method, describe(operation)])),
      ]),
    ),
    components: {
      schemas,
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
            .join(', ')}.`,
        },
      },
    },
  };
}

function describe({ scope, takes, isBodyOptional, gives, parameters = [], ...said }: Operation): object {
  return {
    ...said,
    parameters,
    security: [{ token: [scope] }],
    ...(takes === undefined
      ? {}
      : { requestBody: { required: isBodyOptional !== true, content: { 'application/json': { schema: ref(takes) } } } }),
    responses: {
      ...Object.fromEntries(
        Object.entries(gives).map(([status, [component, description]]) => [
          status,
          { description, content: { 'application/json': { schema: ref(component) } } },
        ]),
      ),
      default: { $ref: '#/components/responses/Problem' },
    },
  };
}

function queryParameters(): object[] {
  const { properties = {} } = toJsonSchema(listQuerySchema) as { properties?: Record<string, { description?: string }> };
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

function ref(component: Component): object {
  return { $ref: `#/components/schemas/${component}` };
}
