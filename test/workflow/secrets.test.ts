/** A secret is planted in every way in, real processes do their work, and then it is searched for wherever somebody could look. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, Connection } from '@temporalio/client';
import { defineSearchAttributeKey, type Payload } from '@temporalio/common';
import { Webhook } from 'standardwebhooks';
import Stripe from 'stripe';
import { beforeAll, describe, expect, it } from 'vitest';
import { createPayloadCodec, isEncrypted } from '../../client/codec/codec.ts';
import { parseCodecKeys, type CodecKey } from '../../client/codec/keys.ts';
import { SEARCH_ATTRIBUTES } from '../../contract/names.ts';
import { everythingIn, placesOf, plant, PLANTED_DOM0, plantNames } from './secrets/plants.ts';
import { BROKEN, createWorld, type World } from './secrets/world.ts';

const ED25519 = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIG1heSB0aGlzIGJlIGEga2V5IG9mIHRoaXJ0eS10d28g';

type Secrets = ReturnType<typeof plant>;
type Names = ReturnType<typeof plantNames>;

interface Evidence {
  /** Places where somebody could look, and what stands there. */
  readonly places: Map<string, Buffer>;
  /** Histories with their payloads decrypted: what a holder of the key can read. */
  readonly decrypted: Map<string, Buffer>;
  /** Exit codes and statuses of what was asked, by name. */
  readonly answers: Record<string, number>;
  readonly outputs: Record<string, string>;
}

async function orderByHand(world: World, secrets: Secrets, names: Names, evidence: Evidence): Promise<void> {
  const publicKey = world.file('id.pub', `${ED25519} ${names.keyComment}\n`);
  const privateKey = world.file('id', `-----BEGIN OPENSSH PRIVATE KEY-----\n${secrets.privateKey}\n-----END OPENSSH PRIVATE KEY-----\n`);
  const where = ['--address', world.address];
  const order = ['--dom0', PLANTED_DOM0, '--plan', 'small', '--password-stdin', '--json', ...where];
  const runs: Record<string, [readonly string[], string?]> = {
    provision: [['provision', 'alpha1', '--ip', names.ip, '--ssh-key', publicKey, ...order], secrets.password],
    failing: [['provision', BROKEN, ...order], secrets.passwordOfFailingOrder],
    privateKey: [['provision', 'beta1', '--ssh-key', privateKey, ...order], secrets.password],
    passwordInFile: [
      ['provision', '--json', '--file', '-', ...where],
      JSON.stringify({ name: 'gamma1', password: secrets.passwordInFile, passwordHash: secrets.passwordInFile }),
    ],
  };
  const run = async (name: string, args: readonly string[], input = ''): Promise<void> => {
    const { code, stdout, stderr } = await world.cli(args, { input: `${input}\n` });
    evidence.answers[name] = code;
    evidence.outputs[name] = stdout;
    evidence.places.set(`output of ${name}`, Buffer.from(stdout + stderr));
  };
  await Promise.all(Object.entries(runs).map(([name, [args, input]]) => run(name, args, input)));
  await run('show', ['show', 'alpha1', '--json', ...where]);
}

/** As senders do, it is sent again while Temporal is too busy. */
async function send(
  world: World,
  evidence: Evidence,
  name: string,
  path: string,
  body: string,
  headers: Record<string, string>,
): Promise<void> {
  const request = { method: 'POST', body, headers: { 'content-type': 'application/json', ...headers } };
  let response = await fetch(`${world.gatewayUrl}${path}`, request);
  for (let tries = 1; response.status === 503 && tries < 30; tries += 1) {
    await sleep(1_000);
    response = await fetch(`${world.gatewayUrl}${path}`, request);
  }
  evidence.answers[name] = response.status;
  evidence.places.set(`answer to ${name}`, Buffer.from(`${JSON.stringify([...response.headers])}${await response.text()}`));
}

async function orderOverHttp(world: World, secrets: Secrets, names: Names, token: string, evidence: Evidence): Promise<void> {
  const at = new Date();
  const paid = JSON.stringify({
    type: 'order.paid',
    timestamp: at.toISOString(),
    data: {
      order: 'A-1',
      plan: 'small',
      hostname: names.hostname,
      customer: { id: names.customer },
      passwordHash: secrets.hashFromBilling,
      sshKeys: [`${ED25519} ${names.keyComment}`],
    },
  });
  const signed = (secret: string): Record<string, string> => ({
    'webhook-id': 'msg_1',
    'webhook-timestamp': String(Math.floor(at.getTime() / 1_000)),
    'webhook-signature': new Webhook(secret).sign('msg_1', at, paid),
  });
  const bearer = (text: string): Record<string, string> => ({ authorization: `Bearer ${text}` });
  const stripe = JSON.stringify({
    id: 'evt_1',
    object: 'event',
    type: 'customer.created',
    created: Math.floor(at.getTime() / 1_000),
    data: { object: {} },
  });
  const apiOrder = { order: 'B-1', name: 'delta1', dom0: PLANTED_DOM0, plan: 'small', passwordHash: secrets.hashFromApi };
  await send(world, evidence, 'signup', '/webhooks/signup', paid, signed(secrets.signupSecret));
  await send(
    world,
    evidence,
    'badSignature',
    '/webhooks/signup',
    paid,
    signed(`whsec_${Buffer.from('a secret that is guessed').toString('base64')}`),
  );
  await send(world, evidence, 'stripe', '/webhooks/stripe', stripe, {
    'stripe-signature': Stripe.webhooks.generateTestHeaderString({ payload: stripe, secret: secrets.stripeSecret }),
  });
  await send(world, evidence, 'api', '/v1/guests', JSON.stringify(apiOrder), bearer(token));
  await send(
    world,
    evidence,
    'apiPassword',
    '/v1/guests',
    JSON.stringify({ ...apiOrder, order: 'B-2', passwordHash: secrets.passwordInRequest }),
    bearer(token),
  );
  await send(world, evidence, 'guessedToken', '/v1/guests', JSON.stringify(apiOrder), bearer(secrets.guessedToken));
}

const GUESTS = 3;
const PHASE = defineSearchAttributeKey(SEARCH_ATTRIBUTES.phase, 'KEYWORD');

/** Root's password of guests that run: they are sealed, so that they are stopped for it. */
async function setPasswords(world: World, secrets: Secrets, token: string, evidence: Evidence): Promise<void> {
  const where = ['--address', world.address, '--json'];
  const byHand = await world.cli(['set-password', 'alpha1', '--offline', ...where], { input: `${secrets.passwordSetLater}\n` });
  const made = await world.cli(['set-password', 'alpha1', '--generate', '--offline', ...where]);
  evidence.answers['setPassword'] = byHand.code;
  evidence.answers['generated'] = made.code;
  evidence.outputs['generated'] = made.stdout;
  evidence.places.set('output of set-password', Buffer.from(byHand.stdout + byHand.stderr + made.stderr));
  const body = JSON.stringify({ passwordHash: secrets.hashSetLater, how: 'offline' });
  await send(world, evidence, 'apiSetPassword', '/v1/guests/delta1/password', body, { authorization: `Bearer ${token}` });
  const deadline = Date.now() + 60_000;
  for (;;) {
    const { stdout } = await world.cli(['show', 'delta1', ...where]);
    if ((JSON.parse(stdout) as { operation?: object }).operation === undefined) return;
    if (Date.now() > deadline) throw new Error('the password of delta1 is not set');
    await sleep(500);
  }
}

/** Waits until all guests run, those that were ordered over HTTP among them, and somebody was told. */
async function awaitGuests(world: World, client: Client): Promise<void> {
  const deadline = Date.now() + 200_000;
  for (;;) {
    const phases: string[] = [];
    for await (const { workflowId, typedSearchAttributes } of client.workflow.list({ query: `WorkflowType = 'guest'` }))
      phases.push(`${workflowId} ${String(typedSearchAttributes.get(PHASE))}`);
    const isTold = world.received.some((body) => body.includes('guest.running'));
    if (phases.filter((phase) => phase.endsWith(' running')).length === GUESTS && isTold) return;
    if (Date.now() > deadline) throw new Error(`not all guests run: ${phases.join(', ')}; ${String(world.received.length)} webhooks came`);
    await sleep(200);
  }
}

async function decryptAll(value: unknown, keys: readonly CodecKey[]): Promise<unknown> {
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return value;
  if ('metadata' in value && 'data' in value && isEncrypted(value as Payload))
    return (await createPayloadCodec(keys).decode([value as Payload]))[0];
  const entries = await Promise.all(Object.entries(value).map(async ([key, inner]) => [key, await decryptAll(inner, keys)] as const));
  return Object.fromEntries(entries);
}

/** What Temporal shows: histories, search attributes, memos. */
async function readTemporal(client: Client, keys: readonly CodecKey[], evidence: Evidence): Promise<void> {
  const { executions } = await client.connection.workflowService.listWorkflowExecutions({ namespace: 'default', pageSize: 500 });
  evidence.places.set('list of workflows', everythingIn(executions));
  for (const { execution } of executions) {
    const history = await client.workflow.getHandle(execution?.workflowId ?? '', execution?.runId ?? undefined).fetchHistory();
    const name = `history ${execution?.workflowId ?? ''}`;
    evidence.places.set(name, everythingIn(history));
    evidence.decrypted.set(name, everythingIn(await decryptAll(history, keys)));
    const description = await client.workflow.getHandle(execution?.workflowId ?? '').describe();
    evidence.places.set(`description ${execution?.workflowId ?? ''}`, everythingIn(description.raw));
  }
}

async function runStory(
  secrets: Secrets,
  names: Names,
  isCodecOn: boolean,
): Promise<{ evidence: Evidence; token: string; received: string }> {
  const evidence: Evidence = { places: new Map(), decrypted: new Map(), answers: {}, outputs: {} };
  const world = await createWorld(secrets, isCodecOn);
  try {
    const token = readFileSync(join(world.directory, 'token.out'), 'utf8').trim();
    const connection = await Connection.connect({ address: world.address });
    const keys = isCodecOn ? parseCodecKeys(secrets.codecKey, 'the test') : [];
    const client = new Client({ connection, dataConverter: { payloadCodecs: [createPayloadCodec(keys)] } });
    await Promise.all([orderOverHttp(world, secrets, names, token, evidence), orderByHand(world, secrets, names, evidence)]);
    evidence.outputs['listens'] = world.listeners().join();
    await awaitGuests(world, client);
    await setPasswords(world, secrets, token, evidence);
    if (isCodecOn) {
      const { code, stderr } = await world.cli(['show', 'alpha1', '--json', '--address', world.address], { withoutKey: true });
      evidence.answers['withoutKey'] = code;
      evidence.outputs['withoutKey'] = stderr;
    }
    evidence.places.set('metrics', Buffer.from(await world.metrics()));
    await readTemporal(client, keys, evidence);
    await connection.close();
    const { argv, environ } = world.watched();
    evidence.places.set('argv', argv).set('environ', environ);
    for (const [place, bytes] of await world.stop()) evidence.places.set(place, bytes);
    return { evidence, token, received: world.received.join('\n') };
  } finally {
    await world.end();
  }
}

describe.each([
  ['as they are', false],
  ['encrypted', true],
])('with payloads %s', (_what, isCodecOn) => {
  const [secrets, names] = [plant(), plantNames()];
  let story: Awaited<ReturnType<typeof runStory>>;
  beforeAll(async () => {
    story = await runStory(secrets, names, isCodecOn);
  }, 600_000);

  it('everything that was asked came to what it should: guests, a failure that was undone, and refusals', () => {
    expect(story.evidence.answers, JSON.stringify(story.evidence.answers)).toMatchObject({
      ...{ signup: 200, badSignature: 401, stripe: 200, api: 202, apiPassword: 422, guessedToken: 401 },
      // Done at once, or going on when the gateway answers.
      ...{ setPassword: 0, generated: 0, apiSetPassword: expect.toBeOneOf([200, 202]) as number },
      ...{ provision: 0, failing: 1, privateKey: 2, passwordInFile: 2, show: 0 },
    });
    expect(story.received).toContain('guest.running');
    // It was given a port and no address.
    expect(story.evidence.outputs['listens']).toBe('127.0.0.1');
    expect(JSON.parse(story.evidence.outputs['show'] ?? '')).toMatchObject({ phase: 'running' });
  });

  it('the search finds what is there to be found', () => {
    const { places, decrypted } = story.evidence;
    expect(placesOf(BROKEN, places)).toEqual(
      expect.arrayContaining(['argv', 'log dom0.log', 'temporal/temporal.db', `history guest/${BROKEN}`, 'list of workflows']),
    );
    expect(placesOf('a planted failure', places)).toEqual(expect.arrayContaining(['output of failing', 'log control.log', 'log dom0.log']));
    expect(placesOf(names.hostname, decrypted)).not.toEqual([]);
    expect(placesOf(names.ip, places)).toContain('command lines on the dom0');
    for (const place of ['metrics', 'environ', 'log control.log', 'log gateway.log', 'temporal/server.log'])
      expect([...places.keys()]).toContain(place);
  });

  it.each(Object.keys(secrets) as (keyof Secrets)[])('nobody finds %s anywhere, whoever holds the codec key', (name) => {
    expect(placesOf(secrets[name], story.evidence.places)).toEqual([]);
    expect(placesOf(secrets[name], story.evidence.decrypted)).toEqual([]);
  });

  it('nobody finds a password that guestflow has made, but who has asked for it', () => {
    const { password } = JSON.parse(story.evidence.outputs['generated'] ?? '') as { password: string };
    expect(password).toMatch(/^[A-Za-z2-9]{24}$/);
    expect(placesOf(password, story.evidence.places)).toEqual([]);
    expect(placesOf(password, story.evidence.decrypted)).toEqual([]);
  });

  it('nobody finds the token of the API anywhere', () => {
    expect(story.token.length).toBeGreaterThan(20);
    expect(placesOf(story.token, story.evidence.places)).toEqual([]);
    expect(placesOf(story.token, story.evidence.decrypted)).toEqual([]);
  });

  it('Temporal has a box for the dom0 in place of the hash of a password', () => {
    expect(placesOf('sealedPassword', story.evidence.decrypted)).toEqual(
      expect.arrayContaining(['history guest/alpha1', 'history order/A-1', 'history guest/delta1']),
    );
    expect(placesOf('"passwordHash"', story.evidence.decrypted)).toEqual([]);
  });

  if (!isCodecOn) return;

  const ofTemporal = ([place]: [string, Buffer]): boolean => /^(history|description|list of|temporal\/)/.test(place);

  it.each(['ip', 'customer', 'keyComment'] as const)('Temporal and its database show no %s', (name) => {
    expect(placesOf(names[name], new Map([...story.evidence.places].filter(ofTemporal)))).toEqual([]);
  });

  it('Temporal shows a host name only as the id of the workflow that holds it', () => {
    for (const [place, bytes] of [...story.evidence.places].filter(ofTemporal)) {
      const text = bytes.toString('latin1');
      const all = text.split(names.hostname).length - 1;
      const inIds = text.split(`hostname/${names.hostname}`).length - 1;
      expect([place, all - inIds]).toEqual([place, 0]);
    }
  });

  it('what a failure says is encrypted, its stack with it', () => {
    const { places, decrypted } = story.evidence;
    expect(placesOf('a planted failure', decrypted)).toContain(`history guest/${BROKEN}`);
    expect(placesOf('a planted failure', new Map([...places].filter(ofTemporal)))).toEqual([]);
  });

  it('a client without the key is told which key it lacks, and what to do', () => {
    expect(story.evidence.answers['withoutKey']).toBe(2);
    const { error } = JSON.parse(story.evidence.outputs['withoutKey'] ?? '') as { error: { type: string; message: string; mend?: string } };
    expect(error.message).toMatch(/encrypted with codec key [0-9a-f]{16}, and this process has no codec key/);
    expect(JSON.stringify(error)).toContain('GUESTFLOW_CODEC_KEY_FILE');
  });
});
