/** Search attributes for the start of a workflow or a Schedule. All of guestflow's are keywords. */
import { defineSearchAttributeKey, type SearchAttributePair } from '@temporalio/common';
import { SEARCH_ATTRIBUTES } from '../contract/names.ts';

/** @param values by the short names of `SEARCH_ATTRIBUTES` */
export function keywords(values: { readonly [K in keyof typeof SEARCH_ATTRIBUTES]?: string }): SearchAttributePair[] {
  return Object.entries(values).map(([name, value]) => ({
    key: defineSearchAttributeKey(SEARCH_ATTRIBUTES[name as keyof typeof SEARCH_ATTRIBUTES], 'KEYWORD'),
    value,
  }));
}
