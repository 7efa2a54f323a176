/** The pages that ask before something is done, and what does it. */
import { createHash } from 'node:crypto';
import { BACKUP_ID } from '../../contract/backup.ts';
import type { GuestStatus } from '../../contract/guest.ts';
import { HttpRefusal } from '../../system/http/problem.ts';
import { outcomeOf } from '../v1/operations.ts';
import { actionAt, actionOf, passwordRestarts, segmentOf, wordsOf, type ActionKind } from './actions.ts';
import { requestField } from './guest-view.ts';
import { csrfField, page, seeOther } from './layout.ts';
import { markup, type Markup } from './markup.ts';
import { madeView, newPassword, passwordFields } from './password.ts';
import { fill } from './texts/language.ts';
import type { Desk, Visit } from './visit.ts';

function guestPathOf({ call }: Visit): string {
  return `/my/guests/${encodeURIComponent(call.path['name'] ?? '')}`;
}

function kindOf({ call }: Visit): ActionKind {
  const kind = actionAt(call.path['action']);
  if (kind === undefined) throw new HttpRefusal(404, 'not-found', 'there is nothing here');
  return kind;
}

/** The backup that is spoken of; undefined for an action that is of none. */
function backupOf(kind: ActionKind, { backups }: GuestStatus, id: string | null | undefined): { id: string; takenAt: string } | undefined {
  if (actionOf(kind).ofBackup !== true) return undefined;
  const backup = BACKUP_ID.test(id ?? '') ? backups.find((known) => known.id === id) : undefined;
  if (backup === undefined) throw new HttpRefusal(404, 'not-found', 'there is no such backup');
  return backup;
}

/** Asks. */
export async function ask({ guests }: Desk, visit: Visit): Promise<Response> {
  const kind = kindOf(visit);
  const status = await guests.status(visit.call.path['name'] ?? '');
  return asking(visit, kind, status, backupOf(kind, status, visit.call.url.searchParams.get('backup')));
}

function asking(
  visit: Visit,
  kind: ActionKind,
  status: GuestStatus,
  backup: { readonly id: string; readonly takenAt: string } | undefined,
  isWrong = false,
): Response {
  const { language, csrf } = visit;
  const { texts } = language;
  const { title, explain } = wordsOf(kind, status, language);
  const isPassword = actionOf(kind).asks === 'password';
  const path = `${guestPathOf(visit)}/${segmentOf(kind)}`;
  const fields: readonly (Markup | false | undefined)[] = [
    backup && markup`<input type="hidden" name="backup" value="${backup.id}">`,
    isPassword && passwordFields(texts, isWrong),
  ];
  const main = markup`<h1>${title}</h1>
<div class="card">
<p><strong>${status.hostname ?? status.name}</strong></p>
${backup && markup`<p>${fill(texts.restoreFrom, { time: language.time(backup.takenAt) })}</p>`}
${explain !== '' && markup`<p>${explain}</p>`}
${isPassword && passwordRestarts(status) && markup`<p>${texts.restarts}</p>`}
<form method="post" action="${path}">${csrfField(csrf)}${requestField()}${fields}
<div class="buttons"><button class="main">${isPassword ? texts.change : texts.confirm}</button><a class="button" href="${guestPathOf(visit)}">${texts.cancel}</a></div>
</form>
</div>`;
  return page({
    language,
    title,
    main,
    path: backup === undefined ? path : `${path}?backup=${backup.id}`,
    csrf,
    status: isWrong ? 422 : 200,
  });
}

/** Does it: asks the guest for the operation, and shows the guest. A form that is sent twice asks once. */
export async function act({ guests, keys }: Desk, visit: Visit): Promise<Response> {
  const { call, form, session, language, csrf } = visit;
  const kind = kindOf(visit);
  const name = call.path['name'] ?? '';
  const request = form.get('request') ?? '';
  if (!/^[0-9a-f]{24}$/.test(request)) throw new HttpRefusal(400, 'bad-form', 'the form has no id');
  const status = await guests.status(name);
  const backup = backupOf(kind, status, form.get('backup'));
  const id = `my-${createHash('sha256').update([session.id, name, kind, request].join('\0')).digest('hex').slice(0, 24)}`;
  call.note({ operation: kind });
  if (actionOf(kind).asks !== 'password') {
    await outcomeOf(guests, name, { kind, id, ...(backup === undefined ? {} : { backup: backup.id }) });
    return seeOther(guestPathOf(visit));
  }
  const wish = await newPassword(keys, form, [session.id, name, request].join('\0'), status).catch((error: unknown) => {
    if (error instanceof HttpRefusal && error.code === 'password') return undefined;
    throw error;
  });
  if (wish === undefined) return asking(visit, kind, status, undefined, true);
  await outcomeOf(guests, name, { kind, id, access: wish.access });
  if (wish.made === undefined) return seeOther(guestPathOf(visit));
  const { texts } = language;
  return page({ language, title: texts.passwordSet, main: madeView(wish.made, guestPathOf(visit), texts), path: guestPathOf(visit), csrf });
}
