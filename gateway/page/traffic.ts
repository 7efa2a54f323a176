/** A server's traffic by month. Its numbers are in a table; the bars beside them repeat what the numbers say, for the eye. */
import type { GuestStatus } from '../../contract/guest.ts';
import type { GuestUsage, MonthTraffic } from '../../contract/usage.ts';
import { page } from './layout.ts';
import { markup, type Markup } from './markup.ts';
import { fill, type Language } from './texts/language.ts';
import type { Desk, Visit } from './visit.ts';

export async function showTraffic({ guests, now }: Desk, { call, csrf, language }: Visit): Promise<Response> {
  const name = call.path['name'] ?? '';
  const status = await guests.status(name);
  const usage = await guests.usage(name);
  const month = new Date(now()).toISOString().slice(0, 7);
  const main = trafficView(status, usage, month, language);
  return page({ language, title: language.texts.traffic, main, path: call.url.pathname, csrf });
}

export function trafficPathOf(name: string): string {
  return `/my/guests/${encodeURIComponent(name)}/traffic`;
}

function trafficView({ name, hostname = name }: GuestStatus, { since, months }: GuestUsage, month: string, language: Language): Markup {
  const { texts, time } = language;
  return markup`<h1>${texts.traffic}</h1>
<div class="card">
<p><strong>${hostname}</strong></p>
${since === undefined ? markup`<p>${texts.trafficNotYet}</p>` : tableOf(withThisMonth(months, month), language)}
${since !== undefined && markup`<p class="hint">${fill(texts.trafficSince, { time: time(since) })} ${texts.trafficHow}</p>`}
<p><a href="/my/guests/${encodeURIComponent(name)}">${texts.back}</a></p>
</div>`;
}

/** A month that has had no traffic yet is told, if it is the one that runs. */
function withThisMonth(months: readonly MonthTraffic[], month: string): readonly MonthTraffic[] {
  return months.some((each) => each.month >= month) ? months : [{ month, inBytes: 0, outBytes: 0 }, ...months];
}

function tableOf(months: readonly MonthTraffic[], language: Language): Markup {
  const { texts } = language;
  const most = Math.max(1, ...months.flatMap(({ inBytes, outBytes }) => [inBytes, outBytes]));
  return markup`<table>
<thead><tr><th scope="col">${texts.month}</th><th scope="col">${texts.trafficIn}</th><th scope="col">${texts.trafficOut}</th></tr></thead>
<tbody>${months.map((each) => rowOf(each, most, language))}</tbody></table>`;
}

function rowOf({ month, inBytes, outBytes }: MonthTraffic, most: number, language: Language): Markup {
  const cell = (bytes: number): Markup =>
    markup`<td>${language.size(bytes)}<br><meter aria-hidden="true" max="${most}" value="${bytes}"></meter></td>`;
  return markup`<tr><th scope="row">${language.month(month)}</th>${cell(inBytes)}${cell(outBytes)}</tr>`;
}
