/** The files of a backup, as the page shows them: what is in a directory, and links to what is below it. */
import type { BackupRecord } from '../../contract/backup.ts';
import { FILES_PHASES, type FilesEnd, type FilesRow } from '../../contract/backup-files.ts';
import type { GuestStatus } from '../../contract/guest.ts';
import { shownName } from '../../contract/shown-name.ts';
import type { FilesState } from '../files/session.ts';
import { csrfField } from './layout.ts';
import { markup, type Markup } from './markup.ts';
import { fill, type Language } from './texts/language.ts';
import type { Texts } from './texts/en.ts';

/** Whether the files of a backup can be looked at. */
export function canBeOpened({ phase }: Pick<GuestStatus, 'phase'>, { engine, state }: BackupRecord): boolean {
  return FILES_PHASES.has(phase) && engine === 'blocks' && state !== 'unusable';
}

/** Paths of files are bytes, which an address cannot hold as they are. */
export function encodedPath(path: string): string {
  return Buffer.from(path, 'latin1').toString('base64url');
}

/** @param path of a directory in the backup. Default: its root */
export function filesPathOf(name: string, backup: string, path = ''): string {
  return `/my/guests/${encodeURIComponent(name)}/files?backup=${backup}${path === '' ? '' : `&at=${encodedPath(path)}`}`;
}

function downloadPathOf(name: string, backup: string, path: string, what: 'file' | 'tar'): string {
  return `/my/guests/${encodeURIComponent(name)}/files/download?backup=${backup}&at=${encodedPath(path)}&as=${what}`;
}

/** A backup, and the directory in it. */
export interface Place {
  readonly guest: string;
  readonly backup: string;
  /** Without slashes at its ends, as Latin-1. */
  readonly path: string;
}

/** Before it is open, and after it has ended. */
export function openView({ guest, backup }: Place, state: FilesState | undefined, csrf: string, { texts }: Language): Markup {
  const { files } = texts;
  if (state?.is === 'asked' || state?.is === 'unpacking') return waitingView(state, texts);
  return markup`${state?.is === 'ended' && problemOf(state.why, texts)}
<p>${files.about}</p>
<form method="post" action="/my/guests/${encodeURIComponent(guest)}/files">${csrfField(csrf)}<input type="hidden" name="backup" value="${backup}">
<button class="main">${files.open}</button></form>`;
}

function waitingView(state: FilesState, { files, refresh }: Texts): Markup {
  const percent = state.is === 'unpacking' ? Math.floor(state.done * 100) : 0;
  const words = fill(files.unpacking, { percent: String(percent) });
  return markup`<div data-live aria-live="polite"><p><label for="unpacked">${words}</label><br><progress id="unpacked" max="100" value="${percent}">${words}</progress></p></div>
<p><a href="">${refresh}</a></p>`;
}

/** Why it has ended, or why what was asked for is not there. */
export function problemOf(why: FilesEnd, { files }: Texts): Markup {
  return markup`<div class="card problem" role="status"><p>${files.ends[why]}</p></div>`;
}

/** What is in a directory. */
export function directoryView({ guest, backup, path }: Place, rows: readonly FilesRow[], language: Language): Markup {
  const { files } = language.texts;
  const parts = path === '' ? [] : path.split('/');
  const up = parts.slice(0, -1).join('/');
  return markup`<p class="path"><strong>/${shownName(path)}</strong></p>
<p class="buttons">${parts.length > 0 && markup`<a class="button" href="${filesPathOf(guest, backup, up)}">${files.up}</a>`}<a class="button" href="${downloadPathOf(guest, backup, path, 'tar')}">${files.all}</a></p>
${rows.length === 0 ? markup`<p>${files.empty}</p>` : tableOf({ guest, backup, path }, rows, language)}`;
}

function tableOf(place: Place, rows: readonly FilesRow[], language: Language): Markup {
  const { files, size } = language.texts;
  const sorted = rows.toSorted((a, b) => rankOf(a) - rankOf(b) || (a.name < b.name ? -1 : 1));
  return markup`<table class="stacked">
<thead><tr><th scope="col">${files.name}</th><th scope="col">${size}</th><th scope="col">${files.changed}</th></tr></thead>
<tbody>${sorted.map((row) => rowOf(place, row, language))}</tbody></table>`;
}

function rankOf({ kind }: FilesRow): number {
  return kind === 'directory' ? 0 : 1;
}

function rowOf({ guest, backup, path }: Place, { name, kind, bytes, modifiedAt }: FilesRow, language: Language): Markup {
  const { files } = language.texts;
  const below = path === '' ? name : `${path}/${name}`;
  const shown = shownName(name);
  const called =
    kind === 'directory'
      ? markup`<a href="${filesPathOf(guest, backup, below)}">${shown}/</a>`
      : kind === 'file'
        ? markup`<a href="${downloadPathOf(guest, backup, below, 'file')}" download>${shown}</a>`
        : markup`${shown} <span class="hint">${kind === 'symlink' ? files.link : files.other}</span>`;
  return markup`<tr><th scope="row">${called}</th><td>${kind === 'file' ? language.size(bytes) : ''}</td><td>${timeOf(modifiedAt, language)}</td></tr>`;
}

/** A tenant sets it to what he likes: beyond what a calendar tells, nothing is shown. */
function timeOf(seconds: number, { time }: Language): string {
  const at = new Date(seconds * 1_000);
  return Number.isNaN(at.getTime()) ? '' : time(at.toISOString());
}
