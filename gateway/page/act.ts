/** The pages that ask before something is done, and what does it. */
import { createHash } from 'node:crypto';
import { BACKUP_ID } from '../../contract/backup.ts';
import type { GuestStatus } from '../../contract/guest.ts';
import { operationWorkflowId } from '../../contract/names.ts';
import { HttpRefusal } from '../../system/http/problem.ts';
import { outcomeOf } from '../v1/operations.ts';
import { accessRestarts, actionAt, actionOf, segmentOf, wordsOf, type ActionKind, type FormName, type Wish } from './actions.ts';
import { FORMS, type Sent } from './forms.ts';
import { requestField } from './guest-view.ts';
import { csrfField, page, seeOther } from './layout.ts';
import { markup, type Markup } from './markup.ts';
import { madeView } from './password.ts';
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
  wrong?: ReadonlyMap<string, string>,
): Response {
  const { language, csrf } = visit;
  const { texts } = language;
  const { title, explain } = wordsOf(kind, status, language);
  const { asks } = actionOf(kind);
  const form = asks && FORMS[asks];
  const path = `${guestPathOf(visit)}/${segmentOf(kind)}`;
  const fields: readonly (Markup | false | undefined)[] = [
    backup && markup`<input type="hidden" name="backup" value="${backup.id}">`,
    form?.fields(texts, status, wrong),
  ];
  const main = markup`<h1>${title}</h1>
<div class="card">
<p><strong>${status.hostname ?? status.name}</strong></p>
${backup && markup`<p>${fill(texts.restoreFrom, { time: language.time(backup.takenAt) })}</p>`}
${explain !== '' && markup`<p>${explain}</p>`}
${form !== undefined && actionOf(kind).interrupts !== true && accessRestarts(status) && markup`<p>${texts.restarts}</p>`}
<form method="post" action="${path}">${csrfField(csrf)}${requestField()}${fields}
<div class="buttons"><button class="main">${form?.button(texts) ?? texts.confirm}</button><a class="button" href="${guestPathOf(visit)}">${texts.cancel}</a></div>
</form>
</div>`;
  return page({
    language,
    title,
    main,
    path: backup === undefined ? path : `${path}?backup=${backup.id}`,
    csrf,
    status: wrong === undefined ? 200 : 422,
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
  call.note({ operation: kind, workflow: operationWorkflowId(name, kind, id) });
  const { asks } = actionOf(kind);
  if (asks === undefined) {
    await outcomeOf(guests, name, { kind, id, ...(backup === undefined ? {} : { backup: backup.id }) });
    return seeOther(guestPathOf(visit));
  }
  const sent = { keys, form, request: [session.id, name, request].join('\0'), status };
  const wish = await wishOf(asks, sent);
  if (wish === undefined) return asking(visit, kind, status, undefined, form);
  const { made, ...wished } = wish;
  await outcomeOf(guests, name, { kind, id, ...wished });
  if (made === undefined) return seeOther(guestPathOf(visit));
  const { texts } = language;
  return page({ language, title: texts.passwordSet, main: madeView(made, guestPathOf(visit), texts), path: guestPathOf(visit), csrf });
}

/** What a form wishes; undefined if what was sent cannot be used, which is then said at its field. */
async function wishOf(asks: FormName, sent: Sent): Promise<Wish | undefined> {
  try {
    return await FORMS[asks].wish(sent);
  } catch (error) {
    if (error instanceof HttpRefusal && error.code === FORMS[asks].refusal) return undefined;
    throw error;
  }
}
