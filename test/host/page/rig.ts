/** The customer's page as customers meet it: a gateway on a real Temporal and the fake dom0, behind a proxy that speaks TLS, in a headless Chromium. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request as forward } from 'node:http';
import { createServer } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import axe from 'axe-core';
import { chromium, type Browser, type BrowserContext, type Page } from 'playwright-core';
import { freePort } from '../../../system/ports.ts';
import { createRunner } from '../../../system/run.ts';
import { openShop, type Shop } from '../whmcs/rig.ts';

const CHROMIUM = '/usr/bin/chromium';

/** Why there can be no browser here; undefined if there can. */
export const why = existsSync(CHROMIUM) ? undefined : 'needs chromium';

export interface Panel {
  readonly shop: Shop;
  readonly origin: string;
  /** A sign-in link for a guest, as the shop gets it. */
  link(guest: string): Promise<string>;
  /** A browser of its own: no cookie of another one. */
  browser(options?: Parameters<Browser['newContext']>[0]): Promise<BrowserContext>;
  close(): Promise<void>;
}

export async function openPanel(): Promise<Panel> {
  const port = await freePort();
  const origin = `https://localhost:${port}`;
  const shop = await openShop((directory) => {
    const keys = join(directory, 'page-key');
    writeFileSync(keys, 'a secret of the page, of these tests alone\n'.replaceAll(' ', '-'), { mode: 0o600 });
    return ['--page-origin', origin, '--page-key-file', keys];
  });
  const closeProxy = await serveTls(port, shop.port);
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox', '--disable-dev-shm-usage', '--disable-gpu'] });
  return {
    shop,
    origin,
    link: async (guest) => String((await shop.ask('POST', `/v1/guests/${guest}/sign-in`, {}))['url']),
    browser: (options) => browser.newContext({ ignoreHTTPSErrors: true, locale: 'en-GB', ...options }),
    close: async () => {
      await browser.close();
      closeProxy();
      await shop.close();
    },
  };
}

/** What stands before a gateway: it speaks TLS, and passes all on. */
async function serveTls(port: number, to: number): Promise<() => void> {
  const directory = mkdtempSync(join(tmpdir(), 'guestflow-tls-'));
  const [key, cert] = [join(directory, 'key.pem'), join(directory, 'cert.pem')];
  const args = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2', '-subj', '/CN=localhost'];
  await createRunner().run('openssl', [...args, '-keyout', key, '-out', cert], { timeoutMs: 30_000 });
  const server = createServer({ key: readFileSync(key), cert: readFileSync(cert) }, (incoming, answer) => {
    const { url, method, headers } = incoming;
    const onward = forward({ port: to, host: '127.0.0.1', path: url, method, headers }, (response) => {
      answer.writeHead(response.statusCode ?? 502, response.headers);
      response.pipe(answer);
    });
    onward.on('error', () => answer.writeHead(502).end());
    incoming.pipe(onward);
  });
  server.on('upgrade', (incoming, socket, head) => {
    const onward = forward({ port: to, host: '127.0.0.1', path: incoming.url, method: incoming.method, headers: incoming.headers });
    onward.on('upgrade', (response, other, rest) => {
      const lines = response.rawHeaders.flatMap((name, index, all) => (index % 2 === 0 ? [`${name}: ${all[index + 1] ?? ''}`] : []));
      socket.write(`HTTP/1.1 101 Switching Protocols\r\n${lines.join('\r\n')}\r\n\r\n`);
      socket.write(rest);
      for (const [from, onto] of [[socket, other] as const, [other, socket] as const]) from.on('error', () => onto.destroy()).pipe(onto);
    });
    onward.on('response', () => socket.destroy());
    onward.on('error', () => socket.destroy());
    onward.end(head);
  });
  rmSync(directory, { recursive: true });
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  return () => {
    server.closeAllConnections();
    server.close();
  };
}

/** What axe finds wrong with a page, as one line each; each must be none. */
export async function findings(page: Page): Promise<string[]> {
  await page.evaluate(axe.source);
  return page.evaluate(async () => {
    const { violations } = await (globalThis as unknown as { axe: typeof axe }).axe.run();
    return violations.flatMap(({ id, nodes }) =>
      nodes.map(({ html, failureSummary = '' }) => `${id}: ${html.slice(0, 200)} ${failureSummary}`),
    );
  });
}
