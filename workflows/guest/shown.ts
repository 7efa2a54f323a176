/** What lists show of a guest: search attributes, and a memo of what it takes. */
import { upsertMemo, upsertSearchAttributes, workflowInfo } from '@temporalio/workflow';
import { defineSearchAttributeKey } from '@temporalio/common';
import { SEARCH_ATTRIBUTES } from '../../contract/names.ts';
import { TAKES_MEMO, takenBy } from '../../contract/takes.ts';
import { withKept } from './rules.ts';
import type { GuestState } from './state.ts';

/** Publishes what has changed. So a guest whose workflow was started by hand is in lists, too. */
export function publishGuest({ name, order, dom0, plan, phase, spec, kept }: GuestState): void {
  const { memo, typedSearchAttributes } = workflowInfo();
  const shown = [
    [SEARCH_ATTRIBUTES.guest, name],
    [SEARCH_ATTRIBUTES.order, order],
    [SEARCH_ATTRIBUTES.dom0, dom0],
    [SEARCH_ATTRIBUTES.plan, plan],
    [SEARCH_ATTRIBUTES.phase, phase],
  ].map(([attribute = '', value = '']) => ({ key: defineSearchAttributeKey(attribute, 'KEYWORD'), value }));
  const news = shown.filter(({ key, value }) => typedSearchAttributes.get(key) !== value);
  if (news.length > 0) upsertSearchAttributes(news);
  const takes = spec === undefined ? undefined : takenBy(withKept(spec, kept?.diskBytes));
  if (takes !== undefined && JSON.stringify(memo?.[TAKES_MEMO]) !== JSON.stringify(takes)) upsertMemo({ [TAKES_MEMO]: takes });
}
