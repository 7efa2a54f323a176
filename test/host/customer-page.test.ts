/** A customer's whole visit, in a headless Chromium, against a real gateway. */
import type { BrowserContext, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { language, LANGUAGE_TAGS } from '../../gateway/page/texts/language.ts';
import { titled } from './machine.ts';
import { findings, openPanel, why, type Panel } from './page/rig.ts';
import { call, why as whyNoPhp } from './whmcs/rig.ts';

const HOSTILE = '<img src=x onerror=alert(1)>';
const KEY = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ35rv5PUXA7JvnmdviGpq2anW48xUy4Rs1jNFAQrwme';

describe.skipIf(why !== undefined)(titled("the customer's page", why), { timeout: 120_000 }, () => {
  let panel: Panel;
  beforeAll(async () => {
    panel = await openPanel();
    for (const [name, customer] of [
      ['shop', 'C-1'],
      ['mail', 'C-1'],
      ['foreign', 'C-2'],
    ] as const) {
      await panel.shop.ask('POST', '/v1/guests', {
        name,
        order: `o-${name}`,
        customer,
        hostname: `${name}.example.org`,
        plan: 'small',
        managed: true,
      });
      await panel.shop.settled(name, 'running');
    }
  }, 120_000);
  afterAll(async () => {
    await panel.close();
  }, 60_000);

  async function browser(options?: Parameters<Panel['browser']>[0]): Promise<BrowserContext> {
    const opened = await panel.browser(options);
    onTestFinished(() => opened.close());
    return opened;
  }

  /** A page of somebody who came by a link, and was shown the guest of it. What a browser complains of is an error. */
  async function visit(guest: string, options?: Parameters<Panel['browser']>[0]): Promise<Page> {
    const page = await (await browser(options)).newPage();
    page.on('pageerror', (error) => expect.unreachable(error.message));
    page.on('console', (message) => {
      // What is refused on purpose is told there, too.
      if (!message.text().includes('Failed to load resource')) expect.unreachable(message.text());
    });
    await page.goto(await panel.link(guest));
    if (options?.javaScriptEnabled === false) await page.getByRole('button', { name: 'Go on' }).click();
    await page.waitForURL(`**/my/guests/${guest}`);
    return page;
  }

  const button = (page: Page, name: string): Promise<void> => page.getByRole('button', { name, exact: true }).click();
  const link = (page: Page, name: string): Promise<void> => page.getByRole('link', { name, exact: true }).click();
  /** While something runs, the page's script loads it anew by itself: one that comes in between ends this. */
  const reload = async (page: Page): Promise<void> => {
    await page.reload().catch(async (error: unknown) => {
      if (!/Not attached to an active page|ERR_ABORTED/.test(String(error))) throw error;
      await page.reload();
    });
  };
  /** Waits for the state beside the heading, as the script brings it or a reload does. */
  const untilState = async (page: Page, state: string): Promise<void> => {
    await expect.poll(async () => (await reload(page), page.locator('.title .state').textContent()), { timeout: 60_000 }).toBe(state);
  };

  it.each([true, false])('is used from the link to signing out, with a script: %j', async (javaScriptEnabled) => {
    const page = await visit('shop', { javaScriptEnabled });
    expect(await page.getByRole('heading', { level: 1 }).textContent()).toBe('shop.example.org');
    await link(page, 'Shut down');
    await link(page, 'Cancel');
    await link(page, 'Shut down');
    await button(page, 'Yes, do it');
    await untilState(page, 'Off');
    await button(page, 'Start');
    await untilState(page, 'Running');
    await link(page, 'New password');
    await button(page, 'Change the password');
    const password = (await page.locator('.secret').textContent()) ?? '';
    expect(password).toMatch(/^[a-zA-Z2-9]{20}$/);
    await panel.shop.settled('shop', 'running');
    const told = JSON.stringify(await panel.shop.ask('GET', '/v1/guests/shop/operations')) + panel.shop.gatewayLog();
    expect(told).toContain('setPassword');
    expect(told).not.toContain(password);
    await link(page, 'Back');
    await link(page, 'SSH keys');
    await page.getByLabel('Public keys, one in each line').fill(`${KEY} of a laptop\n`);
    await button(page, 'Change the keys');
    await panel.shop.settled('shop', 'running');
    await link(page, 'SSH keys');
    expect(await page.getByLabel('Public keys, one in each line').inputValue()).toBe(KEY);
    await link(page, 'Cancel');
    await button(page, 'Take a backup now');
    await panel.shop.settled('shop', 'running');
    await reload(page);
    await page
      .getByRole('link', { name: /^Restore the backup of/ })
      .first()
      .click();
    await button(page, 'Yes, do it');
    await panel.shop.settled('shop', 'running');
    await reload(page);
    await link(page, 'Undo the restore');
    await button(page, 'Yes, do it');
    await panel.shop.settled('shop', 'running');
    await reload(page);
    expect(await page.getByText('The restored or reinstalled disk that you took back is kept until').count()).toBe(1);
    await link(page, 'Remove the kept disk');
    await button(page, 'Yes, do it');
    await panel.shop.settled('shop', 'running');
    await reload(page);
    expect(await page.getByRole('link', { name: /^Restore the backup of/ }).count()).toBeGreaterThan(0);
    await link(page, 'Reinstall');
    expect(await page.getByText(/The disk of now is kept for \d+ days? and then removed/).count()).toBe(1);
    await button(page, 'Yes, do it');
    await panel.shop.settled('shop', 'running');
    await reload(page);
    await link(page, 'Undo the reinstallation');
    await button(page, 'Yes, do it');
    await panel.shop.settled('shop', 'running');
    await reload(page);
    await link(page, 'Remove the kept disk');
    await button(page, 'Yes, do it');
    await panel.shop.settled('shop', 'running');
    await reload(page);
    expect(await page.getByRole('link', { name: 'Reinstall' }).count()).toBe(1);
    await link(page, 'My servers');
    expect(await page.getByRole('row').allTextContents()).toHaveLength(3);
    expect(await page.content()).not.toContain('foreign');
    await button(page, 'Sign out');
    expect((await page.goto(`${panel.origin}/my`))?.status()).toBe(401);
  });

  it('shows what runs while it runs, by itself, and then what has become of it', async () => {
    let letGo = (): void => undefined;
    const until = new Promise<void>((resolve) => (letGo = resolve));
    panel.shop.fake.faults.add({
      match: ({ tool, args }) => tool === 'xl' && args[0] === 'shutdown',
      kind: 'wait',
      until,
    });
    const page = await visit('mail');
    await link(page, 'Shut down');
    await button(page, 'Yes, do it');
    await expect.poll(() => page.getByText('The server is being shut down.').count(), { timeout: 30_000 }).toBe(1);
    expect(await findings(page)).toEqual([]);
    expect(await page.getByRole('button', { name: 'Start' }).count()).toBe(0);
    letGo();
    await expect.poll(() => page.locator('.title .state').textContent(), { timeout: 60_000 }).toBe('Off');
    expect(await page.getByRole('button', { name: 'Start' }).count()).toBe(1);
    await button(page, 'Start');
    await panel.shop.settled('mail', 'running');
  });

  /** The console of the page: its text, without the blanks that a terminal has. */
  const screen = async (page: Page): Promise<string> => (await page.locator('.xterm-rows').innerText()).replaceAll('\u00a0', ' ');
  const state = (page: Page): Promise<string | null> => page.locator('[data-state]').textContent();

  it('opens a console: what is typed is answered, and it ends when it is closed, and with the session', async () => {
    const page = await visit('shop');
    await link(page, 'Console');
    await expect.poll(() => state(page), { timeout: 30_000 }).toBe('The console is open.');
    expect(await page.getByText('The console needs JavaScript.').isVisible()).toBe(false);
    await page.keyboard.type('echo typed in a browser');
    await page.keyboard.press('Enter');
    await expect.poll(() => screen(page)).toMatch(/# echo typed in a browser\s+typed in a browser\s+#/);
    expect(await findings(page)).toEqual([]);
    expect(await page.evaluate('document.documentElement.scrollWidth <= innerWidth')).toBe(true);
    await page.keyboard.press('Control+Shift+F6');
    await page.keyboard.press('Enter');
    await expect.poll(() => state(page)).toBe('The console is closed.');
    await button(page, 'Open the console');
    await expect.poll(() => state(page), { timeout: 30_000 }).toBe('The console is open.');
    const other = await page.context().newPage();
    await other.goto(`${panel.origin}/my`);
    await button(other, 'Sign out');
    await expect.poll(() => state(page)).toBe('You are signed out. Open this page again from your provider’s customer area.');
    const log = panel.shop.gatewayLog();
    expect(log).toMatch(/"guest":"shop","by":"customer C-1","end":"closed","seconds":\d+,"typed":\d+,"printed":\d+,"msg":"console ended"/);
    expect(log).not.toContain('typed in');
  });

  it('opens a console by a link of the shop, once, and shows colours that its policy would keep out', async () => {
    const { url } = (await panel.shop.ask('POST', '/v1/guests/mail/console', {})) as { url: string };
    const page = await (await browser()).newPage();
    page.on('console', (message) => expect.unreachable(message.text()));
    await page.goto(url);
    await expect.poll(() => state(page), { timeout: 30_000 }).toBe('The console is open.');
    expect(page.url()).toBe(`${panel.origin}/my/console`);
    await page.keyboard.type('echo ');
    await page.keyboard.press('Escape');
    await page.keyboard.type('[38;2;1;200;3mgreen');
    await page.keyboard.press('Enter');
    await expect.poll(() => page.locator('.xterm-rows span[style*="color"]').count()).toBeGreaterThan(0);
    expect(await findings(page)).toEqual([]);
    const second = await (await browser()).newPage();
    await second.goto(url);
    await expect.poll(() => state(second)).toBe('This link is not good any more. It works once, and only for a minute.');
    panel.shop.fake.state.domains = panel.shop.fake.state.domains.filter(({ name }) => name !== 'mail');
    await expect.poll(() => state(page)).toBe('The console has ended, since the server stopped or Ctrl+] was typed.');
  });

  it('says that a console needs a script, where there is none', async () => {
    const page = await visit('shop', { javaScriptEnabled: false });
    await link(page, 'Console');
    await expect.poll(() => page.getByText('The console needs JavaScript.').count()).toBe(1);
    expect(await page.getByRole('button', { name: 'Open the console' }).count()).toBe(0);
  });

  it('lets one browser in by a link; a second one is told that it was used', async () => {
    const url = await panel.link('shop');
    const [first, second] = [await (await browser()).newPage(), await (await browser()).newPage()];
    await first.goto(url);
    await first.waitForURL('**/my/guests/shop');
    await second.goto(url);
    await expect.poll(() => second.getByText('This link is not good any more.').count()).toBe(1);
    expect((await second.goto(`${panel.origin}/my`))?.status()).toBe(401);
    expect((await first.goto(`${panel.origin}/my`))?.status()).toBe(200);
  });

  it('keeps its cookie from scripts and from other sites', async () => {
    const page = await visit('shop');
    const [cookie] = await page.context().cookies();
    expect(cookie).toMatchObject({ name: '__Host-guestflow', httpOnly: true, secure: true, sameSite: 'Strict', path: '/' });
    expect(await page.evaluate('document.cookie')).toBe('');
  });

  it("answers another customer's server as one that does not exist", async () => {
    const page = await visit('shop');
    const answer = async (name: string): Promise<{ status?: number | undefined; html: string }> => {
      const response = await page.goto(`${panel.origin}/my/guests/${name}`);
      return { status: response?.status(), html: await page.content() };
    };
    const foreign = await answer('foreign');
    expect(foreign.status).toBe(404);
    expect(await answer('none-such')).toEqual(foreign);
    expect((await page.goto(`${panel.origin}/my/guests/${encodeURIComponent(HOSTILE)}`))?.status()).toBe(404);
  });

  it('is reached by keyboard: first the way past the header, which leads to the content', async () => {
    const page = await visit('shop');
    await page.keyboard.press('Tab');
    expect(await page.evaluate('document.activeElement.className')).toBe('skip');
    await page.keyboard.press('Enter');
    expect(await page.evaluate('document.activeElement.id')).toBe('content');
  });

  it.each(
    LANGUAGE_TAGS.flatMap((tag) =>
      (['light', 'dark'] as const).flatMap((colorScheme) => [1100, 390].map((width) => [tag, colorScheme, width] as const)),
    ),
  )('in %s, %s, %i pixels wide: axe finds nothing on any page, and nothing sticks out', async (tag, colorScheme, width) => {
    const page = await visit('shop', { locale: tag, colorScheme, viewport: { width, height: 800 } });
    const { texts } = language(tag);
    const [, id = ''] = /restore\?backup=(\w+)/.exec(await page.content()) ?? [];
    for (const path of [
      '',
      '/guests/shop',
      '/guests/shop/traffic',
      '/guests/shop/stop',
      '/guests/shop/password',
      '/guests/shop/keys',
      '/guests/shop/console',
      '/console',
      `/guests/shop/restore?backup=${id}`,
      '/none',
      '/signed-out',
    ]) {
      await page.goto(`${panel.origin}/my${path}`);
      expect(await page.locator('html').getAttribute('lang')).toBe(tag);
      expect(await findings(page)).toEqual([]);
      expect(await page.evaluate('document.documentElement.scrollWidth <= innerWidth')).toBe(true);
    }
    await page.goto(`${panel.origin}/my/guests/shop/password`);
    await page.getByLabel(texts.passwordOwn, { exact: true }).check();
    await page.getByLabel(texts.passwordField).fill('short');
    await button(page, texts.change);
    expect(await page.getByRole('alert').textContent()).toBe(texts.errors.password);
    expect(await findings(page)).toEqual([]);
    await page.goto(`${panel.origin}/my/guests/shop/keys`);
    await page.getByLabel(texts.keysField).fill('-----BEGIN OPENSSH PRIVATE KEY-----');
    await button(page, texts.changeKeys);
    expect(await page.getByRole('alert').textContent()).toBe(texts.errors.keys);
    expect(await findings(page)).toEqual([]);
  });

  it.skipIf(whyNoPhp !== undefined)(titled('is where WHMCS sends a customer who clicks its button', whyNoPhp), async () => {
    const params = panel.shop.service(31);
    expect((await call('CreateAccount', { params, properties: {} })).result).toBe('success');
    await panel.shop.settled('whmcs-31', 'running');
    const { result, log } = await call('ServiceSingleSignOn', { params });
    expect(result).toMatchObject({
      success: true,
      redirectTo: expect.stringMatching(/^https:\/\/localhost:\d+\/my\/sign-in\?ticket=/) as string,
    });
    const { redirectTo } = result as { redirectTo: string };
    // A link in a log could be used by who reads it first.
    expect(JSON.stringify(log)).not.toContain(redirectTo.slice(-20));
    const page = await (await browser()).newPage();
    await page.goto(redirectTo);
    await page.waitForURL('**/my/guests/whmcs-31');
    const { result: refused } = await call('ServiceSingleSignOn', { params: panel.shop.service(32) });
    expect(refused).toMatchObject({ success: false, errorMsg: expect.stringContaining('create the service first') as string });
  });
});
