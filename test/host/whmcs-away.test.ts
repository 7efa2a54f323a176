/** The module for WHMCS without a gateway: what it says when there is none, or something else, and what its files promise. */
import { readFileSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { makeToken } from '../../gateway/v1/tokens.ts';
import { host, scratch, titled } from './machine.ts';
import { call, MODULE, render, SENTENCE, service, why, withoutSmarty } from './whmcs/rig.ts';

const { token } = makeToken('whmcs', ['guests:read'], new Date());

describe.skipIf(why !== undefined)(titled('the module for WHMCS', why), { timeout: 60_000 }, () => {
  /** A server that is no gateway. */
  async function impostor(listener: RequestListener): Promise<number> {
    const server = createServer(listener).listen(0, '127.0.0.1');
    onTestFinished(() => void server.close());
    onTestFinished(() => server.closeAllConnections());
    await new Promise((resolve) => server.once('listening', resolve));
    return (server.address() as AddressInfo).port;
  }

  it('says in one sentence what is wrong when the gateway is away, slow, or something else', async () => {
    let asked = 0;
    const ports: [string, number, RegExp][] = [
      ['nothing there', 1, /nothing listens there/],
      ['garbage', await impostor((_request, response) => response.end('<html>hello</html>')), /not guestflow's/],
      [
        'a defect',
        await impostor((_request, response) => response.writeHead(500).end('{"detail":"this is a <b>defect</b>"}')),
        /cannot do it now \(500/,
      ],
      [
        'no Temporal',
        await impostor((_request, response) => response.writeHead(503).end('{"detail":"away"}')),
        /cannot do it now \(503: away/,
      ],
      [
        'a redirection',
        await impostor((_request, response) => response.writeHead(302, { location: 'http://127.0.0.1:1/' }).end()),
        /refused it with 302/,
      ],
      ['no end', await impostor((_request, response) => void response.write('x'.repeat(5 * 2 ** 20))), /too long/],
      ['silence', await impostor(() => undefined), /did not answer in time/],
      [
        'a hang-up',
        await impostor((request) => {
          asked += 1;
          request.socket.destroy();
        }),
        /cannot be reached/,
      ],
    ];
    const answers = await Promise.all(
      ports.map(async ([what, port, about]) => {
        const { result, seconds, log } = await call('SuspendAccount', { params: service(1, port, token) });
        expect(JSON.stringify(log)).not.toContain(token);
        return [what, result, about, seconds] as const;
      }),
    );
    for (const [what, result, about, seconds] of answers) {
      expect([what, result]).toEqual([what, expect.stringMatching(about)]);
      expect(result).toMatch(SENTENCE);
      expect(seconds).toBeLessThan(11);
    }
    expect(asked).toBe(3);
  });

  it('sends what got lost once more with the same key, so it is done once', async () => {
    const keys: unknown[] = [];
    const port = await impostor((request, response) => {
      if (request.method === 'GET') return void response.end('{"phase":"running","name":"whmcs-1"}');
      keys.push(request.headers['idempotency-key']);
      if (keys.length === 1) return void request.socket.destroy();
      if (keys.length === 2) return void response.writeHead(503).end();
      return void response.writeHead(202).end('{"state":"pending"}');
    });
    expect((await call('SuspendAccount', { params: service(1, port, token) })).result).toBe('success');
    expect(keys).toHaveLength(3);
    expect(new Set(keys).size).toBe(1);
    expect((await call('SuspendAccount', { params: service(1, port, token) })).result).toBe('success');
    expect(new Set(keys).size).toBe(2);
  });

  it('writes sizes of disks without the traffic of a dom0 that does not answer, and asks that dom0 for no other guest', async () => {
    const asked: string[] = [];
    const port = await impostor(({ url = '' }, response) => {
      const [, name = '', rest = ''] = /^\/v1\/guests\/([\w-]+)(.*)$/.exec(url) ?? [];
      if (rest === '/usage') asked.push(name);
      const guest = (of: string): object => ({ name: of, phase: 'running', dom0: of === 'whmcs-3' ? 'xen2' : 'xen1', diskBytes: 2 ** 31 });
      const usage = {
        since: '2026-01-01T00:00:00.000Z',
        months: [{ month: new Date().toISOString().slice(0, 7), inBytes: 2 ** 20, outBytes: 0 }],
      };
      if (name === '') return void response.end(JSON.stringify({ guests: ['whmcs-1', 'whmcs-2', 'whmcs-3'].map(guest) }));
      if (rest !== '/usage') return void response.end(JSON.stringify(guest(name)));
      if (name === 'whmcs-3') return void response.end(JSON.stringify(usage));
      return void response.writeHead(503).end('{"detail":"away"}');
    });
    const rows = [1, 2, 3].map((id) => ({
      id,
      server: 2,
      domainstatus: 'Active',
      disklimit: 0,
      bwusage: 7,
      lastupdate: '2026-01-01 00:00:00',
    }));
    const answer = await call('UsageUpdate', { params: service(1, port, token), rows });
    expect(answer.result).toBe('success');
    expect(answer.rows).toMatchObject([
      { disklimit: 2_048, bwusage: 7 },
      { disklimit: 2_048, bwusage: 7 },
      { disklimit: 2_048, bwusage: 1 },
    ]);
    expect(new Set(asked)).toEqual(new Set(['whmcs-1', 'whmcs-3']));
  });

  it('gives no token to a server whose certificate nobody has signed', async () => {
    const folder = scratch();
    const [key, cert] = [join(folder, 'key'), join(folder, 'cert')];
    const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost'];
    await host.run('openssl', ['req', '-x509', '-newkey', 'ed25519', '-nodes', '-days', '2', ...subject, '-keyout', key, '-out', cert]);
    const seen: string[] = [];
    const server = createTlsServer({ key: readFileSync(key), cert: readFileSync(cert) }, (request, response) => {
      seen.push(request.headers.authorization ?? '');
      response.end('{"plans":[]}');
    }).listen(0, '127.0.0.1');
    onTestFinished(() => void server.close());
    await new Promise((resolve) => server.once('listening', resolve));
    const { port } = server.address() as AddressInfo;
    const { result } = await call('TestConnection', {
      params: { ...service(1, port, token), serverhostname: 'localhost', serversecure: true },
    });
    expect(result).toMatchObject({ success: false, error: expect.stringMatching(/certificate cannot be trusted/) as string });
    expect(seen).toEqual([]);
  });
});

describe('the files of the module', () => {
  const openapi = JSON.parse(readFileSync(new URL('../../docs/openapi.json', import.meta.url), 'utf8')) as {
    paths: Record<string, object>;
  };

  it('ask for routes that there are', () => {
    const sources = ['Provisioning', 'Buttons', 'View', 'Plans', 'Usage']
      .map((name) => readFileSync(join(MODULE, `lib/${name}.php`), 'utf8'))
      .join('\n');
    const operations = readFileSync(join(MODULE, 'guestflow.php'), 'utf8').matchAll(/operate\('([a-z-]+)'\)/g);
    const asked = sources.matchAll(/ask\(\$life, '([a-z-]+)'/g);
    const buttons = sources.matchAll(/=> \['[^']+', '([a-z-]+)', \d+\]/g);
    const paths = [...operations, ...asked, ...buttons].map(([, path]) => path ?? '');
    expect(paths).toEqual(expect.arrayContaining(['suspend', 'resume', 'terminate', 'undelete', 'change-plan', 'backup']));
    for (const path of paths) expect(Object.keys(openapi.paths)).toContain(`/v1/guests/{name}/${path}`);
  });

  it('escape every value in the template', () => {
    const template = readFileSync(join(MODULE, 'templates/overview.tpl'), 'utf8');
    const shown = [...template.matchAll(/\{\$[^}]*\}/g)].map(([text]) => text);
    expect(shown.length).toBeGreaterThan(10);
    for (const text of shown)
      expect(text).toMatch(/^\{\$guestflow\.\w+\|escape:'html':'UTF-8'\}$|^\{\$backup\.\w+\|escape:'html':'UTF-8'\}$/);
  });
});

describe.skipIf(why !== undefined)(titled('the functions that WHMCS lists', why), () => {
  it('are there: each button has its function, and settings keep their numbers', async () => {
    const source = readFileSync(join(MODULE, 'guestflow.php'), 'utf8');
    for (const [list, more] of [
      ['AdminCustomButtonArray', ['Reinstall', 'Rescue system', 'Leave the rescue system']],
      // The module cannot have WHMCS ask whether it is meant.
      ['ClientAreaCustomButtonArray', []],
    ] as const) {
      const { result } = await call(list);
      expect(Object.keys(result as object)).toEqual(['Start', 'Shut down', 'Reboot', ...more, 'Back up now']);
      for (const name of Object.values(result as Record<string, string>)) expect(source).toContain(`function guestflow_${name}(`);
    }
    expect(Object.keys((await call('ConfigOptions')).result as object)).toEqual(['plan', 'dist', 'restart', 'password', 'passwordRestart']);
    expect((await call('MetaData')).result).toMatchObject({ APIVersion: '1.1', RequiresServer: true });
  });

  it.skipIf(withoutSmarty !== undefined)(titled('show a hostile host name as text', withoutSmarty), async () => {
    const page = await render({
      isKnown: true,
      state: 'running',
      hostname: '<script>alert(1)</script>"\'',
      ip: '{$smarty.version}',
      backups: [
        { takenAt: '2026-01-01 02:00 UTC', size: '1 GiB', state: 'proven: a server was started from it', mark: 'proven' },
        { takenAt: '2026-01-02 02:00 UTC', size: '1 GiB', state: '<b>checked</b>', mark: 'verified' },
      ],
    });
    expect(page).toContain('&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#039;');
    expect(page).toContain('{$smarty.version}');
    expect(page).not.toMatch(/<script|<b>/);
    expect(page.match(/&#10003;/g)).toHaveLength(1);
  });
});
