/** Operators are told by a real workflow, a real mail server and a real receiver of webhooks: once, and once more when it is over. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { SMTPServer } from 'smtp-server';
import { Webhook } from 'standardwebhooks';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createBillingActivities } from '../../activities/control/billing/activities.ts';
import { loadNotify } from '../../activities/control/notify/receiver.ts';
import { startWatch } from '../../client/watch.ts';
import { WATCH_ID, type ProblemGroup } from '../../contract/watch.ts';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { shortBundle } from '../faults/bundle.ts';
import { SIGNUP_SECRET } from '../unit/gateway/bench.ts';
import { until } from './scripted.ts';
import { startServer, withKeptWorkers, type AnyActivities } from './temporal.ts';

let environment: TestWorkflowEnvironment;
let bundle: string;
const mails: string[] = [];
const hooks: { begun: { what: string; do: string; subjects: string[] }[]; over: { what: string }[] }[] = [];
let isHookIll = true;

const smtp = new SMTPServer({
  authOptional: true,
  disabledCommands: ['STARTTLS'],
  onData: (stream, _session, done) => {
    let text = '';
    stream.on('data', (chunk: Buffer) => (text += chunk.toString('utf8')));
    stream.on('end', () => {
      mails.push(text);
      done();
    });
  },
});
const receiver = createServer((request, response) => {
  let body = '';
  request
    .on('data', (chunk: Buffer) => (body += chunk.toString('utf8')))
    .on('end', () => {
      if (isHookIll) {
        isHookIll = false;
        response.writeHead(500).end();
        return;
      }
      const { data } = new Webhook(SIGNUP_SECRET).verify(body, request.headers as Record<string, string>) as {
        data: (typeof hooks)[number];
      };
      hooks.push(data);
      response.writeHead(204).end();
    });
});

beforeAll(async () => {
  environment = await startServer();
  bundle = await shortBundle();
  await Promise.all([smtp, receiver].map((server) => new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()))));
}, 120_000);
afterAll(async () => {
  smtp.close();
  receiver.close();
  await environment.teardown();
});

async function activitiesOf(groups: () => readonly ProblemGroup[]): Promise<{ activities: AnyActivities; dismiss: () => void }> {
  const directory = mkdtempSync(join(tmpdir(), 'watch-'));
  writeFileSync(join(directory, 'secret'), SIGNUP_SECRET, { mode: 0o600 });
  const [mailPort, hookPort] = [smtp.server, receiver].map((server) => String((server.address() as AddressInfo).port));
  writeFileSync(
    join(directory, 'notify.yaml'),
    [
      'operators:',
      `  mail: { host: 127.0.0.1, port: ${mailPort ?? ''}, security: none, from: guestflow@example.org, to: [noc@example.org] }`,
      `  webhook: { url: "http://127.0.0.1:${hookPort ?? ''}/", secretFile: ${join(directory, 'secret')}, allowPrivate: true }`,
    ].join('\n'),
  );
  const { operators } = await loadNotify(join(directory, 'notify.yaml'));
  let { channels } = operators;
  const nobody = { look: () => Promise.reject(new Error('no guests here')) } as never;
  return {
    activities: {
      ...(createBillingActivities({ guests: nobody, operators }) as unknown as AnyActivities),
      lookForProblems: () => Promise.resolve({ channels, silentMs: 0, groups: groups() }),
    },
    dismiss: () => {
      channels = [];
    },
  };
}

it('a dom0 with 200 guests that goes silent is one mail and one webhook, which a second start does not repeat; its end is one more', async () => {
  let groups: readonly ProblemGroup[] = [];
  const { activities, dismiss } = await activitiesOf(() => groups);
  const guests = Array.from({ length: 200 }, (_, index) => `guest${String(index).padStart(3, '0')}`);
  const silent: ProblemGroup[] = [
    { kind: 'dom0-silent', dom0: 'xen1', subjects: ['xen1'], note: 'guests on it: 200' },
    { kind: 'night-missed', dom0: 'xen1', subjects: guests },
  ];
  const told = (count: number): Promise<unknown> =>
    until(
      () => Promise.resolve([mails.length, hooks.length]),
      ([ofMail = 0, ofHook = 0]) => ofMail >= count && ofHook >= count,
    );
  await withKeptWorkers(
    environment,
    activities,
    async () => {
      await startWatch(environment.client);
      await startWatch(environment.client);
      groups = silent;
      await told(1);
      expect(mails[0]).toMatch(/Subject: guestflow: nobody asks for work of dom0 xen1/);
      expect(mails[0]).toContain('guestflow dom0 lost xen1');
      expect(mails[0]).not.toContain('guest000');
      expect(hooks[0]).toMatchObject({ begun: [{ kind: 'dom0-silent', note: 'guests on it: 200' }], over: [] });
      groups = [];
      await told(2);
      expect(hooks).toHaveLength(2);
      expect(mails).toHaveLength(2);
      expect(hooks[1]).toMatchObject({ begun: [], over: [{ kind: 'dom0-silent', dom0: 'xen1' }] });
      dismiss();
      await environment.client.workflow.getHandle(WATCH_ID).result();
    },
    bundle,
  );
});
