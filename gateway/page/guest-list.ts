/** The customer's servers. */
import type { GuestStatus } from '../../contract/guest.ts';
import { openCursor, signCursor } from '../v1/cursor.ts';
import type { GuestRowDocument } from '../v1/answers.ts';
import { onlyOwn } from '../v1/subjects.ts';
import { page } from './layout.ts';
import { markup, type Markup } from './markup.ts';
import { stateOf } from './guest-view.ts';
import type { Language } from './texts/language.ts';
import type { Desk, Visit } from './visit.ts';

/** Servers on a page: each is asked for its name and address. */
const ON_A_PAGE = 25;

export async function showList({ guests }: Desk, { call, session, csrf, language }: Visit): Promise<Response> {
  const { texts } = language;
  const given = call.url.searchParams.get('cursor');
  const scope = { token: session.id, filters: {} };
  const cursor = given === null ? {} : { cursor: openCursor(given, scope) };
  const { guests: found, next } = await guests.list({ ...onlyOwn(session.subject, {}), limit: ON_A_PAGE, ...cursor });
  const rows = uniqueAndThere(found);
  // One that does not answer now is shown with what the list knows.
  const known = await Promise.all(rows.map(({ name }) => guests.status(name).catch(() => undefined)));
  const main = markup`<h1>${texts.title}</h1>
${rows.length === 0 ? markup`<div class="card"><p>${texts.none}</p></div>` : tableOf(rows, known, language)}
${next !== undefined && markup`<p><a href="/my?cursor=${signCursor(next, scope)}">${texts.more}</a></p>`}`;
  return page({ language, title: texts.title, main, path: '/my', csrf });
}

/** Newest first: if an order failed and its name was ordered again, the later one is the guest. */
function uniqueAndThere(rows: readonly GuestRowDocument[]): readonly GuestRowDocument[] {
  return rows.filter(({ name, phase }, index) => phase !== 'gone' && rows.findIndex((other) => other.name === name) === index);
}

function tableOf(rows: readonly GuestRowDocument[], known: readonly (GuestStatus | undefined)[], language: Language): Markup {
  const { texts } = language;
  return markup`<div class="card"><table class="stacked">
<thead><tr><th scope="col">${texts.server}</th><th scope="col">${texts.state}</th><th scope="col">${texts.address}</th><th scope="col">${texts.plan}</th></tr></thead>
<tbody>
${rows.map(({ name, phase, plan }, index) => {
  const status = known[index];
  return markup`<tr>
<th scope="row"><a href="/my/guests/${encodeURIComponent(name)}">${status?.hostname ?? name}</a></th>
<td>${stateOf(status?.phase ?? phase, language)}</td>
<td>${status?.spec?.network.ip ?? texts.unknown}</td>
<td>${status?.plan ?? plan}</td>
</tr>`;
})}
</tbody></table></div>`;
}
