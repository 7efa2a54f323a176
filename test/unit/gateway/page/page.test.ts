/** What the customer's page shows, and what it has done. */
import { beforeEach, describe, expect, it } from 'vitest';
import { GuestflowError } from '../../../../contract/errors.ts';
import type { GuestStatus } from '../../../../contract/guest.ts';
import { OPERATION_KINDS } from '../../../../contract/operations.ts';
import { markup } from '../../../../gateway/page/markup.ts';
import { en } from '../../../../gateway/page/texts/en.ts';
import { LANGUAGES, LANGUAGE_TAGS, languageOf } from '../../../../gateway/page/texts/language.ts';
import { openOwn, type Shop, type Visitor } from './visitor.ts';

let shop: Shop;
let visitor: Visitor;
beforeEach(async () => {
  ({ shop, visitor } = await openOwn());
});

const GUEST = '/my/guests/own';
const htmlOf = async (path: string, headers = {}): Promise<string> => (await visitor.get(path, { headers })).text();

/** Keys of a text, with those within it. */
function keysOf(texts: object, prefix = ''): string[] {
  return Object.entries(texts).flatMap(([key, value]) =>
    typeof value === 'object' ? keysOf(value as object, `${prefix}${key}.`) : [`${prefix}${key}`],
  );
}

function holesOf(texts: object): string[] {
  return Object.entries(texts).flatMap(([key, value]) =>
    typeof value === 'object'
      ? holesOf(value as object).map((hole) => `${key}.${hole}`)
      : [...String(value).matchAll(/\{\w+\}/g)].map(([hole]) => `${key}${hole}`),
  );
}

describe('the texts', () => {
  it.each(LANGUAGE_TAGS)('in %s are complete, none is empty where the English one is not, and each has the same holes', (tag) => {
    expect(keysOf(LANGUAGES[tag]).sort()).toEqual(keysOf(en).sort());
    expect(holesOf(LANGUAGES[tag]).sort()).toEqual(holesOf(en).sort());
    const flat = (texts: object): string =>
      JSON.stringify(texts, (_key, value: unknown) => (typeof value === 'string' ? value === '' : value));
    expect(flat(LANGUAGES[tag])).toBe(flat(en));
  });

  it('have words for every operation that there is', () => {
    expect(Object.keys(en.tasks)).toEqual(expect.arrayContaining([...OPERATION_KINDS]));
  });

  it.each([
    ['', 'en'],
    ['ru', 'ru'],
    ['de, ru-RU;q=0.7, en;q=0.3', 'ru'],
    ['ru;q=0.1, en', 'en'],
    ['ru;q=0', 'en'],
    ['constructor, __proto__;q=1, *', 'en'],
    [`${'x,'.repeat(5_000)}ru`, 'en'],
  ])('are chosen by Accept-Language %j', (header, tag) => {
    expect(languageOf(new Request('http://x', { headers: { 'accept-language': header } })).tag).toBe(tag);
  });

  it('stay in the language of the switch', async () => {
    await visitor.post('/my/language', { language: 'ru', back: GUEST });
    expect(await htmlOf(GUEST, { 'accept-language': 'en' })).toContain('<html lang="ru">');
  });
});

describe('a page', () => {
  it('has nothing inline and nothing of anybody else, and may not be framed', async () => {
    for (const path of ['/my', GUEST, `${GUEST}/password`, '/my/none', '/my/signed-out']) {
      const response = await visitor.get(path);
      const policy = response.headers.get('content-security-policy') ?? '';
      expect(policy).toContain("default-src 'none'");
      expect(policy).toContain("frame-ancestors 'none'");
      expect(policy).not.toContain('unsafe');
      expect(response.headers.get('cache-control')).toBe('no-store');
      const html = await response.text();
      expect(html).not.toMatch(/<script(?![^>]* src="\/my\/)|<style| style=| on\w+=|https?:/);
    }
  });

  it('has its style under a name that is of its content, kept for good', async () => {
    const [, path = ''] = /href="([^"]+\.css)"/.exec(await htmlOf('/my')) ?? [];
    const style = await visitor.get(path);
    expect(style.headers.get('content-type')).toBe('text/css; charset=utf-8');
    expect(style.headers.get('cache-control')).toContain('immutable');
    expect((await visitor.get('/my/assets/0000.css')).status).toBe(404);
  });

  it.each([
    ['/my/none', 404],
    ['/my/guests/own/none', 404],
    ['/my/guests/own/restore?backup=20200101T000000Z', 404],
    ['/my/guests/own/stop?x=1', 400],
  ])('%s is an error in plain words, with its status', async (path, status) => {
    const response = await visitor.get(path);
    expect(response.status).toBe(status);
    expect(response.headers.get('content-type')).toBe('text/html; charset=utf-8');
    expect(await response.text()).toContain(en.errorTitle);
  });
});

describe('what comes from outside', () => {
  const HOSTILE = `"><script>alert(1)</script><img src=x onerror='x'>&`;

  it('is text wherever it stands, in whatever a guest has of it', async () => {
    const changes = {
      hostname: HOSTILE,
      plan: HOSTILE,
      phase: 'stopped',
      operation: { kind: HOSTILE, workflowId: `guest/own/${HOSTILE}/1`, startedAt: '2026-01-01T00:00:00.000Z' },
      error: { type: 'ToolFailed', message: HOSTILE, operation: `guest/own/${HOSTILE}/1` },
      warnings: [HOSTILE],
      spec: { network: { ip: HOSTILE, ipv6: { address: HOSTILE } }, size: { memoryBytes: 1, vcpus: 1, diskBytes: 1 }, access: {} },
    } as unknown as Partial<GuestStatus>;
    for (const phase of ['stopped', 'running', HOSTILE] as GuestStatus['phase'][]) {
      shop.guests.changes.set('own', { ...changes, phase });
      for (const path of ['/my', GUEST, `${GUEST}/stop`, `${GUEST}/password`, `${GUEST}/restore?backup=20260101T020000Z`])
        expect(await htmlOf(path)).not.toMatch(/<script>|<img/);
    }
  });

  it('is escaped by the template itself, in lists and templates within it, too', () => {
    expect(markup`<p title="${HOSTILE}">${[HOSTILE, markup`<b>${HOSTILE}</b>`]}${undefined}${false}${0}</p>`.toString()).toBe(
      `<p title="${ESCAPED}">${ESCAPED}<b>${ESCAPED}</b>0</p>`,
    );
  });

  const ESCAPED = '&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;&lt;img src=x onerror=&#39;x&#39;&gt;&amp;';
});

describe('a server', () => {
  it('shows its backups, and which are proven; the reason of a failure is not told in the words of a dom0', async () => {
    shop.guests.changes.set('own', {
      error: { type: 'ToolFailed', message: 'lvcreate /dev/vg01 failed', operation: 'guest/own/backup/1' },
    });
    const html = await htmlOf(GUEST);
    expect(html).toContain(en.backupStates.proven);
    expect(html).toContain(en.tasks.backup);
    expect(html).not.toMatch(/lvcreate|planted\/path|xen1/);
  });

  it.each([
    ['running', ['reboot', 'stop', 'password', 'keys', 'backup', 'reinstall', 'rescue', 'console']],
    ['stopped', ['start', 'password', 'keys', 'backup', 'reinstall', 'rescue']],
    ['suspended', ['backup']],
    ['provisioning', []],
    ['lost', []],
  ] as const)('that is %s offers %j', async (phase, wanted) => {
    shop.guests.changes.set('own', { phase });
    const html = await htmlOf(GUEST);
    const found = [...html.matchAll(/(?:action|href)="\/my\/guests\/own\/([\w-]+)"/g)].map(([, action]) => action);
    // Traffic is for looking at.
    expect(found.filter((what) => what !== 'traffic')).toEqual(wanted);
  });

  it('is asked once, however often a form is sent; a second form is a second wish', async () => {
    const send = async (form: Record<string, string>): Promise<number> => (await visitor.post(`${GUEST}/reboot`, form)).status;
    const read = async (): Promise<Record<string, string>> => visitor.formOf(await htmlOf(`${GUEST}/reboot`), `${GUEST}/reboot`);
    const form = await read();
    expect([await send(form), await send(form), await send(await read())]).toEqual([303, 303, 303]);
    expect(shop.guests.requests.map(({ kind }) => kind)).toEqual(['reboot', 'reboot']);
  });

  it('is restored from the backup that was confirmed', async () => {
    const html = await htmlOf(`${GUEST}/restore?backup=20260101T020000Z`);
    expect(html).toContain(en.restore.explain);
    await visitor.post(`${GUEST}/restore`, visitor.formOf(html, `${GUEST}/restore`));
    expect(shop.guests.requests).toMatchObject([{ kind: 'restore', backup: '20260101T020000Z' }]);
  });

  it('has a way back from a restore while the disk of before is kept', async () => {
    expect(await htmlOf(GUEST)).not.toContain('undo-restore');
    const kept = { role: 'former', backup: 'b', takenAt: '2026-01-01T00:00:00Z', diskBytes: 1, keptUntil: '2026-01-08T00:00:00Z' } as const;
    shop.guests.changes.set('own', { kept });
    const html = await htmlOf(GUEST);
    expect(html).toContain(`href="${GUEST}/undo-restore"`);
    expect(html).toContain(`href="${GUEST}/keep-restored"`);
    // A guest refuses another restore until the other disk is gone.
    expect(html).not.toContain(`${GUEST}/restore`);
  });

  it('that Temporal cannot tell of is a page that says so, and when to come again', async () => {
    shop.guests.status = () => Promise.reject(new GuestflowError('Unreachable', 'Temporal does not answer at 127.0.0.1:7233'));
    const response = await visitor.get(GUEST);
    expect([response.status, response.headers.get('retry-after')]).toEqual([503, '5']);
    expect(await response.text()).toContain(en.errors.unreachable);
  });
});

describe('a new password', () => {
  const form = async (): Promise<Record<string, string>> => visitor.formOf(await htmlOf(`${GUEST}/password`), `${GUEST}/password`);
  const shownIn = (html: string): string => /<code class="secret"[^>]*>([^<]+)<\/code>/.exec(html)?.[1] ?? '';

  it('is made, shown once, and goes on as a hash; the same form sent again shows the same one', async () => {
    const sent = { ...(await form()), how: 'make', password: '' };
    const [first, again] = [await visitor.post(`${GUEST}/password`, sent), await visitor.post(`${GUEST}/password`, sent)];
    const password = shownIn(await first.text());
    expect(password).toMatch(/^[a-zA-Z2-9]{20}$/);
    expect(shownIn(await again.text())).toBe(password);
    expect(shop.guests.requests).toHaveLength(1);
    expect(JSON.stringify(shop.guests.requests)).not.toContain(password);
    expect(shop.guests.requests[0]).toMatchObject({
      kind: 'setPassword',
      access: { passwordHash: expect.stringMatching(/^\$6\$/) as string },
    });
    const other = shownIn(await (await visitor.post(`${GUEST}/password`, { ...(await form()), how: 'make', password: '' })).text());
    expect(other).not.toBe(password);
  });

  it.each([
    ['running', false, 'offline'],
    ['running', true, undefined],
    ['stopped', false, undefined],
  ] as const)('of a server that is %s, managed %j, is set %j, and a restart is said before', async (phase, managed, how) => {
    const spec = { access: { managed }, network: { ip: '192.0.2.10' }, size: {}, life: { graceDays: 7 } } as unknown as NonNullable<
      GuestStatus['spec']
    >;
    shop.guests.changes.set('own', { phase, spec });
    expect((await htmlOf(`${GUEST}/password`)).includes(en.restarts)).toBe(how === 'offline');
    expect((await visitor.post(`${GUEST}/password`, { ...(await form()), how: 'own', password: 'correct horse battery' })).status).toBe(
      303,
    );
    expect(shop.guests.requests[0]?.access?.how).toBe(how);
  });

  it.each(['short', 'x'.repeat(129), 'with a \u0007 bell in it'])(
    'that is %j is refused at its field, and not shown again',
    async (password) => {
      const response = await visitor.post(`${GUEST}/password`, { ...(await form()), how: 'own', password });
      expect(response.status).toBe(422);
      const html = await response.text();
      expect(html).toContain('aria-invalid="true"');
      expect(html).not.toContain(password);
      expect(shop.guests.requests).toEqual([]);
    },
  );
});

describe('SSH keys', () => {
  const form = async (): Promise<Record<string, string>> => visitor.formOf(await htmlOf(`${GUEST}/keys`), `${GUEST}/keys`);
  const [kept, added] = [
    'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB',
    'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgIC',
  ];

  it('are shown as they were set last; those that are sent, one in each line, take their place', async () => {
    const spec = {
      access: { managed: false, sshKeys: [kept] },
      network: {},
      size: {},
      life: { graceDays: 7 },
    } as unknown as GuestStatus['spec'];
    shop.guests.changes.set('own', { phase: 'running', spec } as Partial<GuestStatus>);
    const html = await htmlOf(`${GUEST}/keys`);
    expect(html).toContain(`>\n${kept}</textarea>`);
    expect(html).toContain(en.restarts);
    const response = await visitor.post(`${GUEST}/keys`, { ...(await form()), keys: `${kept}\r\n\r\n  ${added} of <my> "laptop"\r\n` });
    expect(response.status).toBe(303);
    expect(shop.guests.requests).toMatchObject([{ kind: 'setKeys', access: { how: 'offline', sshKeys: [kept, added] } }]);
  });

  it.each([
    ['nothing', '  \r\n'],
    ['a private key', '-----BEGIN OPENSSH PRIVATE KEY-----\r\nb3BlbnNzaC1rZXktdjEAAAAA'],
    ['a good one and a damaged one', `${added}\r\nssh-ed25519 AAAA`],
    ['options before a key', `command="sh" ${added}`],
  ])('of which %s was sent are refused at their field, with what was sent', async (_what, keys) => {
    const response = await visitor.post(`${GUEST}/keys`, { ...(await form()), keys });
    expect(response.status).toBe(422);
    const html = await response.text();
    expect(html).toContain('aria-invalid="true"');
    expect(html).toContain(en.errors.keys);
    expect(shop.guests.requests).toEqual([]);
  });
});
