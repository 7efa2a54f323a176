/** The files of a backup on the customer's page: both sides of the connection, over real sockets. */
import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { FILES_ENDS } from '../../../../contract/backup-files.ts';
import { GuestflowError, type ErrorType } from '../../../../contract/errors.ts';
import { en } from '../../../../gateway/page/texts/en.ts';
import { BACKUPS } from '../fake-guests.ts';
import type { Visitor } from '../page/visitor.ts';
import { encoded, ID, openRig, PATH, type Rig } from './rig.ts';

const LATIN = 'caf\u00e9';
const TEXT = Buffer.from('127.0.0.1 localhost\n');

let rig: Rig;
async function begin(...[limits]: Parameters<typeof openRig>): Promise<void> {
  rig = await openRig(limits);
  onTestFinished(() => rig.close());
  Object.assign(rig.tree, {
    etc: { kind: 'directory' },
    'etc/hosts': { content: TEXT },
    'etc/mtab': { kind: 'symlink', target: '../proc/mounts' },
    'etc/<b>&"': { content: Buffer.from('named') },
    [`etc/${LATIN}`]: { content: Buffer.from('latin') },
    'etc/pipe': { kind: 'fifo' },
    empty: { kind: 'directory' },
  });
}
beforeEach(() => begin());

const at = (path: string): string => `${PATH}?backup=${ID}&at=${encoded(path)}`;
const fileAt = (path: string, as = 'file'): string => `${PATH}/download?backup=${ID}&at=${encoded(path)}&as=${as}`;
const get = (path: string, visitor: Visitor = rig.visitor): Promise<Response> => visitor.get(path);

async function bytesOf(response: Response): Promise<Buffer> {
  return Buffer.from(await response.arrayBuffer());
}

describe('the files of a backup', () => {
  it('are offered beside each backup that can be read, and opened by a button', async () => {
    const guest = await rig.html('/my/guests/own');
    expect(guest).toContain(`href="${PATH}?backup=${ID}"`);
    expect(await rig.html()).toContain(en.files.about);
    expect(rig.lines).toEqual([]);
    await rig.open();
    expect(rig.lines).toEqual([expect.objectContaining({ guest: 'own', backup: ID, message: 'backup opened' })]);
  });

  it('are shown folder by folder, folders first, names as they are and never as markup', async () => {
    await rig.open();
    const root = await rig.html();
    expect(root.indexOf('empty/')).toBeGreaterThan(0);
    expect(root).toContain(`at=${encoded('etc')}"`);
    expect(root).not.toContain(en.files.up);
    const etc = await rig.html(at('etc'));
    expect(etc).toContain('>hosts</a>');
    expect(etc).toContain('&lt;b&gt;&amp;&quot;');
    expect(etc).toContain('caf\\xe9');
    expect(etc).toContain(`mtab <span class="hint">${en.files.link}</span>`);
    expect(etc).toContain(`pipe <span class="hint">${en.files.other}</span>`);
    expect(etc).toContain(en.files.up);
    expect(await rig.html(at('empty'))).toContain(en.files.empty);
  });

  it('are downloaded with their very bytes, as attachments that no browser runs', async () => {
    const content = randomBytes(1_000_003);
    rig.tree['etc/random.html'] = { content };
    await rig.open();
    const answer = await get(fileAt('etc/random.html'));
    expect((await bytesOf(answer)).equals(content)).toBe(true);
    expect(Object.fromEntries(answer.headers)).toMatchObject({
      'content-type': 'application/octet-stream',
      'content-length': '1000003',
      'content-disposition': `attachment; filename="random.html"; filename*=UTF-8''random.html`,
      'content-security-policy': "default-src 'none'; sandbox",
      'x-content-type-options': 'nosniff',
      'cache-control': 'no-store',
    });
    expect((await get(fileAt(`etc/${LATIN}`))).headers.get('content-disposition')).toContain(`filename="caf_xe9"`);
    expect((await bytesOf(await get(fileAt('etc/<b>&"')))).toString()).toBe('named');
  });

  it('that have holes have zeros there', async () => {
    rig.tree['sparse'] = {
      content: Buffer.from('abcdef'),
      size: 300_000,
      segments: [
        [100_000, 4],
        [200_000, 2],
      ],
    };
    await rig.open();
    const expected = Buffer.alloc(300_000);
    expected.write('abcd', 100_000);
    expected.write('ef', 200_000);
    expect((await bytesOf(await get(fileAt('sparse')))).equals(expected)).toBe(true);
    rig.tree['hole'] = { size: 70_000 };
    expect((await bytesOf(await get(fileAt('hole')))).equals(Buffer.alloc(70_000))).toBe(true);
    rig.tree['nothing'] = {};
    expect(await bytesOf(await get(fileAt('nothing')))).toHaveLength(0);
  });

  it('of a folder come as a tar', async () => {
    await rig.open();
    const answer = await get(fileAt('etc', 'tar'));
    expect(answer.headers.get('content-disposition')).toContain('filename="etc.tar"');
    const tar = await bytesOf(answer);
    expect(tar.toString('latin1')).toContain(TEXT.toString());
    expect(tar.subarray(-1024)).toEqual(Buffer.alloc(1024));
    expect((await get(fileAt('', 'tar'))).headers.get('content-disposition')).toContain('filename="own.tar"');
  });

  it('that are not there, or something else than was asked for, are told, and the backup stays open', async () => {
    await rig.open();
    expect(await rig.html(at('none'))).toContain(en.files.ends.none);
    expect(await rig.html(at('etc/hosts'))).toContain(en.files.ends.none);
    expect((await get(fileAt('none'))).status).toBe(404);
    expect((await get(fileAt('etc'))).status).toBe(404);
    expect((await get(fileAt('etc/hosts', 'tar'))).status).toBe(404);
    expect(await rig.html(at('etc'))).toContain('hosts');
  });

  it('are asked for by paths from the root only', async () => {
    await rig.open();
    const { begun } = rig.readers;
    for (const path of ['..', 'etc/../..', 'etc//hosts', '/etc', 'etc/', '.', 'a\0b', 'x'.repeat(5_000)]) {
      expect((await get(at(path))).status).toBe(404);
      expect((await get(fileAt(path))).status).toBe(404);
    }
    expect((await get(`${PATH}?backup=${ID}&at=%2Fetc`)).status).toBe(404);
    expect((await get(`${PATH}?backup=../../x`)).status).toBe(404);
    expect((await get(`${PATH}?backup=20200101T000000Z`)).status).toBe(404);
    expect(rig.readers.begun).toBe(begun);
  });

  it('are shown to nobody else, and to nobody who has signed out', async () => {
    await rig.open();
    const other = await rig.shop.signedIn('foreign');
    expect((await get(at('etc'), other)).status).toBe(404);
    expect((await get(fileAt('etc/hosts'), other)).status).toBe(404);
    // The same customer, signed in elsewhere, opens it for himself.
    const twin = await rig.shop.signedIn('own');
    expect((await get(fileAt('etc/hosts'), twin)).status).toBe(404);
    const form = rig.visitor.formOf(await rig.html('/my'), '/my/sign-out');
    await rig.visitor.post('/my/sign-out', form);
    await expect.poll(() => rig.lines.at(-1)).toMatchObject({ end: 'signed-out', message: 'backup closed' });
    expect(rig.left()).toEqual([]);
  });

  it('are opened by a form of the page alone', async () => {
    const form = rig.visitor.formOf(await rig.html(), PATH);
    expect((await rig.visitor.post(PATH, form, { origin: 'https://evil.example' })).status).toBe(403);
    expect((await rig.visitor.post(PATH, { backup: ID })).status).toBe(403);
    expect((await rig.visitor.post(PATH, { ...form, backup: '20200101T000000Z' })).status).toBe(404);
    expect(rig.lines).toEqual([]);
  });

  it('leave no name in a log', async () => {
    await rig.open();
    await bytesOf(await get(fileAt('etc/hosts')));
    await rig.html(at('etc'));
    expect(JSON.stringify([rig.lines, rig.shop.lines])).not.toMatch(/hosts|etc|aG9zdHM/);
  });
});

describe('a download', () => {
  it('that nobody reads has its own reader wait, and nothing else', async () => {
    rig.tree['large'] = { content: randomBytes(20_000_000) };
    let pieces = 0;
    rig.beforePiece = () => {
      pieces += 1;
      return Promise.resolve();
    };
    await rig.open();
    const answer = await get(fileAt('large'));
    const reader = answer.body!.getReader();
    await reader.read();
    let before = -1;
    while (before !== pieces) {
      before = pieces;
      await sleep(300);
    }
    expect(pieces).toBeLessThan(150);
    expect(await rig.html(at('etc'))).toContain('hosts');
    await reader.cancel();
    await expect.poll(() => rig.readers.running).toBe(0);
  });

  it('whose reader cannot go on is broken off: what came is not taken for whole', async () => {
    rig.tree['bad'] = { content: randomBytes(500_000) };
    let pieces = 0;
    rig.beforePiece = () => ((pieces += 1) > 3 ? Promise.reject(new Error('a planted path')) : Promise.resolve());
    await rig.open();
    const answer = await get(fileAt('bad'));
    expect(answer.status).toBe(200);
    await expect(answer.arrayBuffer()).rejects.toThrow();
    expect(JSON.stringify(rig.lines)).not.toContain('planted');
  });

  it('over HTTP has the length that it says, or ends before it', async () => {
    rig.tree['good'] = { content: randomBytes(3_000_000) };
    rig.tree['bad'] = { content: randomBytes(3_000_000) };
    await rig.open();
    const headers = { cookie: [...rig.visitor.cookies].map(([name, value]) => `${name}=${value}`).join('; ') };
    const good = await fetch(`${rig.server.url}${fileAt('good')}`, { headers });
    expect((await bytesOf(good)).equals(rig.tree['good'].content!)).toBe(true);
    const head = await fetch(`${rig.server.url}${fileAt('good')}`, { method: 'HEAD', headers });
    expect([head.headers.get('content-length'), (await bytesOf(head)).length]).toEqual(['3000000', 0]);
    let pieces = 0;
    rig.beforePiece = () => ((pieces += 1) > 10 ? Promise.reject(new Error('no')) : Promise.resolve());
    const bad = await fetch(`${rig.server.url}${fileAt('bad')}`, { headers });
    await expect(bad.arrayBuffer()).rejects.toThrow();
    await expect.poll(() => rig.readers.running).toBe(0);
  });

  it('has no more beside it than there may be', async () => {
    rig.tree['large'] = { content: randomBytes(8_000_000) };
    await rig.open();
    const bodies = await Promise.all(Array.from({ length: 4 }, () => get(fileAt('large'))));
    expect(bodies.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
    expect((await get(fileAt('etc/hosts'))).status).toBe(503);
    for (const { body } of bodies) await body?.cancel();
    await expect.poll(async () => (await get(fileAt('etc/hosts'))).status).toBe(200);
  });

  it('sends no more a second than it may', async () => {
    await rig.close();
    await begin({ bytesPerSecond: 400_000 });
    rig.tree['large'] = { content: randomBytes(400_000) };
    await rig.open();
    const began = performance.now();
    await bytesOf(await get(fileAt('large')));
    expect(performance.now() - began).toBeGreaterThan(900);
  });
});

describe('an opened backup', () => {
  it('says how far it is unpacked, and may be closed meanwhile', async () => {
    let ended = false;
    rig.unpack = async (onProgress) => {
      onProgress(2 ** 24 / 4);
      await sleep(200);
      ended = true;
    };
    await rig.visitor.post(PATH, rig.visitor.formOf(await rig.html(), PATH));
    await expect.poll(() => rig.html()).toContain('25 %');
    expect((await get(fileAt('etc/hosts'))).status).toBe(503);
    await rig.opened.end('own', 'stopped');
    expect(ended).toBe(true);
    expect(rig.left()).toEqual([]);
    expect(await rig.html()).toContain(en.files.ends.stopped);
  });

  it.each([
    [{ idleMs: 150 }, 'idle'],
    [{ sessionMs: 150 }, 'limit'],
    [{ freeBytes: 2 ** 60 }, 'room'],
  ] as const)('with %j ends, is told why, leaves nothing, and can be opened anew', async (limits, end) => {
    await rig.close();
    await begin(limits);
    await rig.open();
    // A look is a question, after which it is not idle for a while.
    await expect.poll(() => rig.html(), { interval: 400, timeout: 5_000 }).toContain(en.files.ends[end]);
    expect(rig.left()).toEqual([]);
    expect(rig.visitor.formOf(await rig.html(), PATH)).toMatchObject({ backup: ID });
  });

  it('does not end for idleness while something is downloaded', async () => {
    await rig.close();
    await begin({ idleMs: 150, bytesPerSecond: 1_000_000 });
    rig.tree['large'] = { content: randomBytes(500_000) };
    await rig.open();
    expect(await bytesOf(await get(fileAt('large')))).toHaveLength(500_000);
  });

  it('that takes more than half of the room that is left ends: orders need some, too', async () => {
    const free = [100 * 2 ** 30, 60 * 2 ** 30, 49 * 2 ** 30];
    rig.freeBytes = () => free.shift() ?? 0;
    rig.unpack = async (onProgress) => {
      for (const bytes of [1, 2]) {
        onProgress(bytes);
        await sleep(600);
      }
    };
    await rig.open();
    expect(await rig.html()).toContain(en.files.ends.room);
    expect(free).toEqual([]);
    await expect.poll(() => rig.left()).toEqual([]);
  });

  it('ends when the backup is there no more', async () => {
    await rig.close();
    await begin({ lookMs: 50 });
    await rig.open();
    rig.isThere = false;
    await expect.poll(() => rig.html()).toContain(en.files.ends.gone);
    expect(rig.left()).toEqual([]);
  });

  it('that cannot be unpacked says so, and leaves nothing', async () => {
    rig.unpack = () => Promise.reject(new GuestflowError('BackupUnusable', 'its checksum is another'));
    await rig.open();
    await expect.poll(() => rig.html()).toContain(en.files.ends.unusable);
    expect(rig.left()).toEqual([]);
    expect(rig.lines).toContainEqual(expect.objectContaining({ reason: 'its checksum is another' }));
  });

  it('gives way to another one of the same guest, whoever opens it', async () => {
    await rig.open();
    const twin = await rig.shop.signedIn('own');
    const older = `${PATH}?backup=${BACKUPS[0]!.id}`;
    await twin.post(PATH, twin.formOf(await (await twin.get(older)).text(), PATH));
    await expect.poll(async () => (await twin.get(older)).text()).toContain('etc/');
    expect(rig.lines).toContainEqual(expect.objectContaining({ end: 'replaced' }));
    expect((await get(fileAt('etc/hosts'))).status).toBe(404);
  });

  it('is one of no more than the dom0 may have', async () => {
    await rig.close();
    await begin({ most: 0 });
    await rig.open();
    await expect.poll(() => rig.html()).toContain(en.files.ends.busy);
  });

  it.each<[ErrorType, object, keyof typeof en.files.ends]>([
    ['Busy', {}, 'busy'],
    ['HostNotReady', { field: 'consoleGateway' }, 'setting'],
    ['HostNotReady', {}, 'unavailable'],
    ['NotFound', {}, 'gone'],
    ['InvalidInput', {}, 'unusable'],
    ['BackupUnusable', {}, 'unusable'],
    ['Unreachable', {}, 'unavailable'],
  ])('that a dom0 refuses by %s %j is told as %s', async (type, details, end) => {
    rig.shop.guests.files.open = () => Promise.reject(new GuestflowError(type, 'a path of the dom0', details));
    await rig.open();
    const html = await rig.html();
    expect(html).toContain(en.files.ends[end]);
    expect(html).not.toContain('a path of the dom0');
  });

  it('ends when its dom0 goes', async () => {
    await rig.open();
    await rig.opened.close();
    await expect.poll(() => rig.html()).toContain(en.files.ends.stopped);
    await rig.open();
    await expect.poll(() => rig.html()).toContain(en.files.ends.busy);
  });

  it('has words for every end that there is', () => {
    expect(Object.keys(en.files.ends)).toEqual([...FILES_ENDS]);
  });

  it('is not offered by a gateway that opens none', async () => {
    const { openShop } = await import('../page/visitor.ts');
    const shop = await openShop(undefined, undefined, undefined, false);
    await shop.order({ name: 'own', order: 'o-own', customer: 'C-1' });
    const visitor = await shop.signedIn('own');
    expect(await (await visitor.get('/my/guests/own')).text()).not.toContain('/files');
    expect((await visitor.get(`${PATH}?backup=${ID}`)).status).toBe(404);
  });
});

it('what a killed worker has left unpacked goes when the next one starts', async () => {
  await rig.open();
  expect(rig.left().length).toBeGreaterThan(0);
  const { directory } = rig;
  await rig.opened.close();
  mkdirSync(join(directory, '.guestflow-files-killed'), { recursive: true });
  writeFileSync(join(directory, '.guestflow-files-killed', 'image'), 'of a tenant');
  await rig.opened.clean();
  expect(rig.left()).toEqual([]);
});
