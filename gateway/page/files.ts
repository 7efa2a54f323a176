/** The files of a backup: opened, looked through, and downloaded. */
import { BACKUP_ID } from '../../contract/backup.ts';
import { isPathFromRoot } from '../../contract/backup-files.ts';
import { shownName } from '../../contract/shown-name.ts';
import { HttpRefusal } from '../../system/http/problem.ts';
import type { Route } from '../../system/http/router.ts';
import { streamed } from '../../system/http/streamed.ts';
import { NoAnswer } from '../files/answer.ts';
import type { FilesHub } from '../files/hub.ts';
import type { FilesSession } from '../files/session.ts';
import { canBeOpened, directoryView, filesPathOf, openView, problemOf, type Place } from './files-view.ts';
import { grantOf } from './grant.ts';
import { page, seeOther } from './layout.ts';
import { markup, type Markup } from './markup.ts';
import { sessionHolder } from './sessions.ts';
import { fill } from './texts/language.ts';
import { signedIn, type Desk, type Visit } from './visit.ts';

/** None where this process opens no backups. */
export function filesRoutes(desk: Desk): Route[] {
  const { files } = desk;
  if (files === undefined) return [];
  const path = '/my/guests/:name/files';
  return [
    signedIn(desk, { method: 'GET', path, query: ['backup', 'at'], handle: (visit) => show(desk, files, visit) }),
    signedIn(desk, { method: 'POST', path, handle: (visit) => open(desk, files, visit) }),
    signedIn(desk, {
      method: 'GET',
      path: `${path}/download`,
      query: ['backup', 'at', 'as'],
      handle: (visit) => download(files, visit),
    }),
  ];
}

async function show({ guests }: Desk, files: FilesHub, visit: Visit): Promise<Response> {
  const { call, csrf, language } = visit;
  const place = placeOf(visit, call.url.searchParams.get('backup') ?? '');
  const { backups, name, hostname = name } = await guests.status(place.guest);
  const backup = backups.find(({ id }) => id === place.backup);
  if (backup === undefined) throw new HttpRefusal(404, 'not-found', 'there is no such backup');
  const found = files.find({ ...place, holder: sessionHolder(visit.session) });
  const { texts, time } = language;
  const title = fill(texts.files.of, { time: time(backup.takenAt) });
  const main = markup`<h1>${title}</h1>
<div class="card">
<p><strong>${hostname}</strong></p>
${found?.state.is === 'ready' ? await lookInto(found, place, visit) : openView(place, found?.state, csrf, language)}
<p><a href="/my/guests/${encodeURIComponent(name)}">${texts.back}</a></p>
</div>`;
  return page({ language, title, main, path: `${call.url.pathname}${call.url.search}`, csrf });
}

async function lookInto(session: FilesSession, place: Place, { language, csrf }: Visit): Promise<Markup> {
  try {
    return directoryView(place, await session.list(place.path), language);
  } catch (error) {
    if (!(error instanceof NoAnswer)) throw error;
    const { texts } = language;
    // What ended all of it can be opened anew; what is wrong with this directory is told beside the way back to the root.
    if (session.state.is === 'ended') return openView(place, session.state, csrf, language);
    return markup`${problemOf(error.end, texts)}<p><a class="button" href="${filesPathOf(place.guest, place.backup)}">${texts.files.root}</a></p>`;
  }
}

async function open({ guests }: Desk, files: FilesHub, { call, form, session }: Visit): Promise<Response> {
  const guest = call.path['name'] ?? '';
  const status = await guests.status(guest);
  const backup = status.backups.find(({ id }) => id === form.get('backup'));
  if (backup === undefined) throw new HttpRefusal(404, 'not-found', 'there is no such backup');
  if (!canBeOpened(status, backup)) throw new HttpRefusal(409, 'busy', 'the files of this backup cannot be looked at now');
  files.open({ ...grantOf(guest, session), backup: backup.id });
  return seeOther(filesPathOf(guest, backup.id));
}

async function download(files: FilesHub, visit: Visit): Promise<Response> {
  const { searchParams } = visit.call.url;
  const place = placeOf(visit, searchParams.get('backup') ?? '');
  const what = searchParams.get('as') === 'tar' ? 'tar' : 'file';
  const found = files.find({ ...place, holder: sessionHolder(visit.session) });
  if (found === undefined) throw new HttpRefusal(404, 'not-found', 'this backup is not open');
  const { bytes, body } = await found.read(what, place.path).catch((error: unknown) => {
    if (!(error instanceof NoAnswer)) throw error;
    throw error.end === 'none' || found.state.is === 'ended'
      ? new HttpRefusal(404, 'not-found', 'there is no such file, or the backup is not open any more')
      : new HttpRefusal(503, 'busy', 'the file cannot be read now', {}, { 'retry-after': '10' });
  });
  const name = place.path.slice(place.path.lastIndexOf('/') + 1) || place.guest;
  return streamed(
    new Response(body, {
      headers: {
        'content-type': what === 'tar' ? 'application/x-tar' : 'application/octet-stream',
        'content-disposition': dispositionOf(what === 'tar' ? `${name}.tar` : name),
        ...(bytes === undefined ? {} : { 'content-length': String(bytes) }),
        // A file of the customer's own, in no page of ours.
        'content-security-policy': "default-src 'none'; sandbox",
        'x-content-type-options': 'nosniff',
        'cross-origin-resource-policy': 'same-origin',
        'referrer-policy': 'no-referrer',
        'cache-control': 'no-store',
      },
    }),
  );
}

/** RFC 6266: a name that every browser reads, and the one that it should use. */
function dispositionOf(name: string): string {
  const shown = shownName(name);
  const plain = shown.replace(/[^\w.-]/g, '_');
  // What encodeURIComponent leaves alone, and RFC 8187 does not.
  const encoded = encodeURIComponent(shown).replace(/['()*!]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`);
  return `attachment; filename="${plain}"; filename*=UTF-8''${encoded}`;
}

/** @throws HttpRefusal 404 for a backup or a path that there cannot be */
function placeOf({ call }: Visit, backup: string): Place {
  const at = call.url.searchParams.get('at') ?? '';
  const path = Buffer.from(at, 'base64url').toString('latin1');
  if (!BACKUP_ID.test(backup) || !/^[\w-]*$/.test(at) || !isPathFromRoot(path))
    throw new HttpRefusal(404, 'not-found', 'there is no such file in a backup');
  return { guest: call.path['name'] ?? '', backup, path };
}
