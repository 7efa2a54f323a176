/** A WHMCS with the module, and a gateway for it: the executable over HTTP, on a real Temporal, with workers on the fake dom0. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import { findEndpoint } from '../../../client/config.ts';
import { openSession } from '../../../client/session.ts';
import { SCOPES } from '../../../contract/scopes.ts';
import { createFakeDom0, type FakeDom0 } from '../../../fake/index.ts';
import { makeToken } from '../../../gateway/v1/tokens.ts';
import { freePort } from '../../../system/ports.ts';
import { createRunner } from '../../../system/run.ts';
import { stopServer } from '../../../system/run-server.ts';
import { until } from '../../../system/until.ts';
import { startGatewayProcess } from '../../gateway-process.ts';
import { startWorkers } from '../../storm/world.ts';
import { startServer } from '../../workflow/temporal.ts';

const HARNESS = fileURLToPath(new URL('harness.php', import.meta.url));
export const MODULE = fileURLToPath(new URL('../../../deploy/billing/whmcs/guestflow', import.meta.url));
const runner = createRunner();

/** Whether the PHP of the command line has an extension. */
function phpHas(extension: string): boolean {
  const versions = existsSync('/etc/php') ? readdirSync('/etc/php') : [];
  return versions.some((version) => existsSync(`/etc/php/${version}/cli/conf.d/20-${extension}.ini`));
}

/** Why the module cannot be run here; undefined if it can. */
export const why = existsSync('/usr/bin/php') && phpHas('curl') ? undefined : 'needs php-cli, php-curl';
export const withoutSmarty = existsSync('/usr/share/php/smarty4/Smarty.class.php') ? undefined : 'needs smarty4';

/** One line, no trace, no markup. */
export const SENTENCE = /^(?!success$)[^\n<>]{10,410}$/;

/** What WHMCS keeps of a service, and passes to the module. */
export interface Called {
  readonly params?: Readonly<Record<string, unknown>>;
  /** Properties of the service. Default: this WHMCS sends no model. */
  readonly properties?: Readonly<Record<string, string>>;
  readonly rows?: readonly object[];
}

export interface Answer {
  readonly result: unknown;
  readonly seconds: number;
  readonly properties: Readonly<Record<string, string>>;
  readonly rows: readonly object[];
  readonly log: readonly (readonly string[])[];
}

/** Runs the harness. A warning of PHP is an error. */
async function php(document: object): Promise<Answer> {
  const { stdout } = await runner.run('php', ['-d', 'display_errors=stderr', HARNESS], {
    input: JSON.stringify({ module: MODULE, ...document }),
    timeoutMs: 60_000,
  });
  return JSON.parse(stdout) as Answer;
}

/** Calls a function of the module. */
export function call(name: string, called: Called = {}): Promise<Answer> {
  return php({ call: name, ...called });
}

/** The template, as Smarty makes a page of it. */
export async function render(variables: unknown): Promise<string> {
  const scratch = mkdtempSync(join(tmpdir(), 'guestflow-smarty-'));
  try {
    return String((await php({ render: variables, scratch })).result);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

export interface Shop {
  readonly port: number;
  readonly token: string;
  readonly fake: FakeDom0;
  /** A token that is for this alone. */
  readonly readerToken: string;
  /** What the gateway has written. */
  gatewayLog(): string;
  /** A request to the gateway, past the module. */
  ask(method: string, path: string, body?: object): Promise<Record<string, unknown>>;
  /** Waits until the guest is in this phase and nothing is done on it. */
  settled(guest: string, phase: string): Promise<Record<string, unknown>>;
  /** Waits until the guest is being made. */
  underWay(guest: string): Promise<unknown>;
  /** The parameters of a service as WHMCS sends them. */
  service(id: number, changes?: object): Record<string, unknown>;
  close(): Promise<void>;
}

/** @param more of the gateway's command line, given a directory for files. Default: none */
export async function openShop(more: (directory: string) => readonly string[] = () => []): Promise<Shop> {
  const environment = await startServer();
  const session = await openSession(await findEndpoint({ address: environment.address }));
  const fake = await createFakeDom0({
    network: { cidr: '10.20.0.0/20', gateway: '10.20.0.1', bridge: 'xenbr0' },
    memoryMiB: 65_536,
    volumeGroupBytes: 2 ** 42,
    cpus: 64,
  });
  const port = await freePort();
  const stopWorkers = await startWorkers(environment, session, fake, { consoleGateway: `http://127.0.0.1:${port}` });
  const directory = mkdtempSync(join(tmpdir(), 'guestflow-whmcs-'));
  const [all, reader] = [makeToken('whmcs', Object.keys(SCOPES), new Date()), makeToken('reader', ['guests:read'], new Date())];
  writeFileSync(join(directory, 'tokens'), stringify({ tokens: [all.record, reader.record] }), { mode: 0o600 });
  const log = join(directory, 'gateway.log');
  const gateway = await startGatewayProcess(
    port,
    ['--address', environment.address, '--token-file', join(directory, 'tokens'), ...more(directory)],
    log,
  );
  const ask = async (method: string, path: string, body?: object): Promise<Record<string, unknown>> => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`, {
      method,
      headers: { authorization: `Bearer ${all.token}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return (await response.json()) as Record<string, unknown>;
  };
  return {
    port,
    token: all.token,
    readerToken: reader.token,
    fake,
    gatewayLog: () => readFileSync(log, 'utf8'),
    ask,
    settled: (guest, phase) =>
      until(
        async () => {
          const status = await ask('GET', `/v1/guests/${guest}`);
          const isSettled = status['phase'] === phase && status['operation'] === undefined && (status['waiting'] as string[]).length === 0;
          return isSettled ? status : undefined;
        },
        { everyMs: 100 },
      ),
    underWay: (guest) => until(async () => (await ask('GET', `/v1/guests/${guest}`))['phase'] === 'provisioning', { everyMs: 50 }),
    service: (id, changes = {}) => ({ ...service(id, port, all.token), ...changes }),
    close: async () => {
      await stopServer(gateway);
      await stopWorkers();
      await session.close();
      fake.close();
      await environment.teardown();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** The parameters of a service, as WHMCS 8 sends them, but for what the module has no use for. */
export function service(id: number, port: number, token: string): Record<string, unknown> {
  return {
    serviceid: id,
    accountid: id,
    addonId: 0,
    userid: 7,
    pid: 3,
    domain: `shop${id}.example.org`,
    username: `shop${id}ex`,
    password: 'correct horse "battery" \' $staple',
    producttype: 'server',
    moduletype: 'guestflow',
    status: 'Pending',
    configoption1: 'small',
    configoption2: '',
    configoption3: 'on',
    configoption4: 'on',
    configoption5: 'on',
    configoptions: { 'Additional IPs': '0' },
    customfields: { 'SSH key': '' },
    clientsdetails: { userid: 7, firstname: 'A', lastname: 'B', email: 'someone@example.org' },
    server: true,
    serverid: 2,
    serverhostname: '127.0.0.1',
    serverip: '127.0.0.1',
    serverport: String(port),
    serversecure: false,
    serverusername: '',
    serverpassword: token,
    serveraccesshash: '',
    serverhttpprefix: 'http',
  };
}
