/** What lists show of a guest: search attributes, and memos of what it takes and of its backups. */
import { patched, upsertMemo, upsertSearchAttributes, workflowInfo } from '@temporalio/workflow';
import { defineSearchAttributeKey } from '@temporalio/common';
import { BACKUPS_MEMO } from '../../contract/backup-health.ts';
import { SEARCH_ATTRIBUTES } from '../../contract/names.ts';
import { TAKES_MEMO, takenBy } from '../../contract/takes.ts';
import { healthOf } from './backup-health.ts';
import { dom0Of } from './lost.ts';
import { withKept } from './rules.ts';
import { bytesBeside, type GuestState } from './state.ts';

/** Publishes what has changed. So a guest whose workflow was started by hand is in lists, too. */
export function publishGuest(state: GuestState): void {
  const { name, order, plan, phase, spec } = state;
  const { memo, typedSearchAttributes } = workflowInfo();
  const shown = [
    [SEARCH_ATTRIBUTES.guest, name],
    [SEARCH_ATTRIBUTES.order, order],
    [SEARCH_ATTRIBUTES.dom0, dom0Of(state)],
    [SEARCH_ATTRIBUTES.plan, plan],
    [SEARCH_ATTRIBUTES.phase, phase],
  ].map(([attribute = '', value = '']) => ({ key: defineSearchAttributeKey(attribute, 'KEYWORD'), value }));
  const news = shown.filter(({ key, value }) => typedSearchAttributes.get(key) !== value);
  if (news.length > 0) upsertSearchAttributes(news);
  const takes = spec === undefined ? undefined : takenBy(withKept(spec, bytesBeside(state)));
  if (takes !== undefined && JSON.stringify(memo?.[TAKES_MEMO]) !== JSON.stringify(takes)) upsertMemo({ [TAKES_MEMO]: takes });
}

/** Publishes how its backups are, if that has changed. @param proveDays as its order says */
export function publishBackups(state: GuestState, proveDays: number): void {
  const health = healthOf(state, proveDays);
  if (state.spec === undefined || JSON.stringify(workflowInfo().memo?.[BACKUPS_MEMO]) === JSON.stringify(health)) return;
  if (patched('guest-2026-11-backups-memo')) upsertMemo({ [BACKUPS_MEMO]: health });
}
