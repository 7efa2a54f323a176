/** One server: its state, what runs on it, what can be done, its backups. */
import { randomBytes } from 'node:crypto';
import type { GuestStatus } from '../../contract/guest.ts';
import type { BackupRecord } from '../../contract/backup.ts';
import type { OperationDocument } from '../v1/answers.ts';
import { actionOf, isOffered, offered, segmentOf, wordsOf, type ActionKind } from './actions.ts';
import { canBeOpened, filesPathOf } from './files-view.ts';
import { csrfField } from './layout.ts';
import { markup, type Markup } from './markup.ts';
import { trafficPathOf } from './traffic.ts';
import { fill, type Language } from './texts/language.ts';
import type { Texts } from './texts/en.ts';

/** A server as its page shows it. */
export interface Shown {
  readonly status: GuestStatus;
  /** What runs on it, with its steps, where a worker can tell them. */
  readonly running?: Pick<OperationDocument, 'kind' | 'startedAt' | 'steps'> | undefined;
  readonly csrf: string;
  readonly language: Language;
  /** Whether this gateway opens consoles. */
  readonly hasConsole: boolean;
  /** Whether it opens backups. */
  readonly hasFiles: boolean;
}

export function guestView(shown: Shown): Markup {
  const { status, language } = shown;
  const { texts } = language;
  return markup`<div class="title"><h1>${status.hostname ?? status.name}</h1>${stateOf(status.phase, language)}</div>
${noticeOf(status, language)}
${nowOf(shown)}
<section aria-labelledby="overview"><h2 id="overview">${texts.overview}</h2>${factsOf(status, language)}
<p class="more"><a href="${trafficPathOf(status.name)}">${texts.trafficByMonth}</a></p></section>
<section aria-labelledby="actions"><h2 id="actions">${texts.actions}</h2>${buttonsOf(shown)}</section>
<section aria-labelledby="backups"><h2 id="backups">${texts.backups}</h2>${keptOf(status, language)}${backupsOf(shown)}</section>`;
}

export function stateOf(phase: string, { texts }: Language): Markup {
  const words: Readonly<Record<string, string>> = texts.phases;
  return markup`<span class="state ${phase}">${words[phase] ?? phase}</span>`;
}

/** What is being done, in words. */
function taskOf(kind: string, { tasks }: Texts): string {
  const words: Readonly<Record<string, string>> = tasks;
  return words[kind] ?? tasks.other;
}

function noticeOf({ phase, graceUntil, error, operation }: GuestStatus, language: Language): Markup | undefined {
  const { texts } = language;
  const notice = (text: string): Markup => markup`<div class="card problem" role="status"><p>${text}</p></div>`;
  if (phase === 'suspended') return notice(texts.suspended);
  if (phase === 'rescue') return notice(texts.inRescue);
  if (phase === 'terminating' && graceUntil !== undefined) return notice(fill(texts.graceUntil, { time: language.time(graceUntil) }));
  // `guest/<name>/<kind>/<id>`. Its message is for the provider: it names tools and places of the dom0.
  const kind = error?.operation?.split('/')[2];
  if (kind === undefined || operation !== undefined || phase === 'gone') return undefined;
  return notice(fill(texts.failed, { task: taskOf(kind, texts) }));
}

function nowOf({ status, running, language }: Shown): Markup | undefined {
  const { texts } = language;
  const isBeingMade = status.phase === 'ordered' || status.phase === 'provisioning';
  if (running === undefined && status.queued.length === 0 && !isBeingMade) return undefined;
  const task = taskOf(running?.kind ?? (isBeingMade ? 'provision' : 'other'), texts);
  const steps = running?.steps ?? [];
  const done = steps.filter(({ state }) => state === 'done').length;
  const step = fill(texts.step, { step: Math.min(done + 1, steps.length), steps: steps.length });
  return markup`<section class="busy" aria-labelledby="now"><h2 id="now">${texts.now}</h2>
<div data-live aria-live="polite">
<p><strong>${task}</strong></p>
${steps.length > 0 && markup`<p><label for="steps">${step}</label><br><progress id="steps" max="${steps.length}" value="${done}">${step}</progress></p>`}
${running?.startedAt !== undefined && markup`<p class="hint">${fill(texts.started, { time: language.time(running.startedAt) })}</p>`}
${status.queued.length > 0 && markup`<p>${texts.waiting}</p>`}
</div>
<p><a href="/my/guests/${encodeURIComponent(status.name)}">${texts.refresh}</a></p>
</section>`;
}

function factsOf({ spec, plan, name, hostname = name, orderedAt }: GuestStatus, language: Language): Markup {
  const { texts, size, time } = language;
  const rows: readonly (readonly [string, string | undefined])[] = [
    [texts.address, spec?.network.ip ?? texts.unknown],
    [texts.address6, spec?.network.ipv6?.address],
    [texts.plan, plan],
    [texts.memory, spec === undefined ? undefined : size(spec.size.memoryBytes)],
    [texts.processors, spec === undefined ? undefined : String(spec.size.vcpus)],
    [texts.disk, spec === undefined ? undefined : size(spec.size.diskBytes)],
    [texts.since, time(orderedAt)],
    [texts.technicalName, hostname === name ? undefined : name],
  ];
  return markup`<dl>${rows.map(([what, value]) => value !== undefined && markup`<div><dt>${what}</dt><dd>${value}</dd></div>`)}</dl>`;
}

function buttonsOf(shown: Shown): Markup {
  const { status, hasConsole, language } = shown;
  const kinds = offered(status);
  const runs = status.phase === 'running' || status.phase === 'rescue';
  const open = hasConsole && runs && consoleButton(status.name, language.texts);
  if (kinds.length === 0 && open === false) return markup`<p>${language.texts.noActions}</p>`;
  return markup`<div class="buttons">${kinds.map((kind) => buttonOf(kind, shown))}${open}</div>`;
}

function consoleButton(name: string, { console }: Texts): Markup {
  return markup`<a class="button" href="/my/guests/${encodeURIComponent(name)}/console">${console.button}</a>`;
}

/** What asks first is a link to a page that asks; the rest is done at once. */
function buttonOf(kind: ActionKind, { status, csrf, language }: Shown): Markup {
  const { interrupts, isFinal, asks } = actionOf(kind);
  const { button } = wordsOf(kind, status, language);
  const path = `/my/guests/${encodeURIComponent(status.name)}/${segmentOf(kind)}`;
  if (interrupts === true || isFinal === true || asks !== undefined) return markup`<a class="button" href="${path}">${button}</a>`;
  return markup`<form method="post" action="${path}">${csrfField(csrf)}${requestField()}<button class="${kind === 'start' ? 'main' : ''}">${button}</button></form>`;
}

/** Tells one form from another, and a form that is sent twice from two. */
export function requestField(): Markup {
  return markup`<input type="hidden" name="request" value="${randomBytes(12).toString('hex')}">`;
}

function keptOf({ kept }: GuestStatus, { texts, time }: Language): Markup | undefined {
  const what = kept?.role === 'former' ? texts.kept : texts.keptRestored;
  return kept && markup`<p>${fill(what, { time: time(kept.keptUntil) })} ${texts.keptFirst}</p>`;
}

function backupsOf(shown: Shown): Markup {
  const { status, language } = shown;
  const { texts } = language;
  if (status.backups.length === 0) return markup`<p>${texts.noBackups}</p>`;
  return markup`<table class="stacked">
<thead><tr><th scope="col">${texts.takenAt}</th><th scope="col">${texts.size}</th><th scope="col">${texts.quality}</th><th scope="col">${texts.restoreThis}</th></tr></thead>
<tbody>${status.backups.toReversed().map((backup) => backupRow(shown, backup))}</tbody></table>`;
}

function backupRow({ status, language, hasFiles }: Shown, backup: BackupRecord): Markup {
  const { texts, time, size } = language;
  const { id, takenAt, dumpedBytes, state } = backup;
  const at = { time: time(takenAt) };
  const path = `/my/guests/${encodeURIComponent(status.name)}/${segmentOf('restore')}?backup=${id}`;
  const isGood = state === 'verified' || state === 'proven';
  return markup`<tr>
<th scope="row">${time(takenAt)}</th>
<td>${size(dumpedBytes)}</td>
<td class="${state}">${texts.backupStates[state]}</td>
<td><div class="buttons">${
    isGood &&
    isOffered('restore', status) &&
    markup`<a class="button" href="${path}" aria-label="${fill(texts.restoreFrom, at)}">${texts.restoreThis}</a>`
  }${
    hasFiles &&
    canBeOpened(status, backup) &&
    markup`<a class="button" href="${filesPathOf(status.name, id)}" aria-label="${fill(texts.files.of, at)}">${texts.files.button}</a>`
  }</div></td>
</tr>`;
}
