/**
 * Marks of customers: a search attribute by which a customer's guests are found. Search attributes are never encrypted, so it is not the id. If payloads are
 * encrypted, the mark is keyed: who has no codec key cannot tell whose guest it is, not even by trying all ids. If they are not, whoever sees the mark can
 * read the orders, too, and a plain hash loses nothing.
 */
import { createHmac } from 'node:crypto';
import { defineSearchAttributeKey } from '@temporalio/common';
import { GuestflowError } from '../contract/errors.ts';
import { guestWorkflowId, SEARCH_ATTRIBUTES } from '../contract/names.ts';
import type { CodecKey } from './codec/keys.ts';
import type { Session } from './session.ts';

/** What marks are made with. */
type WithKeys = Pick<Session, 'endpoint'>;

const KEY = defineSearchAttributeKey(SEARCH_ATTRIBUTES.customer, 'KEYWORD');

/** Characters of a mark, hexadecimal: 128 bits. */
const LENGTH = 32;

/** The mark of a new guest's customer. */
export function customerMark({ endpoint: { codecKeys } }: WithKeys, customer: string): string {
  return markBy(codecKeys[0], customer);
}

/** All marks that guests of a customer may have: made with any of the codec keys, or before there was one. */
export function customerMarks({ endpoint: { codecKeys } }: WithKeys, customer: string): readonly string[] {
  return [undefined, ...codecKeys].map((key) => markBy(key, customer));
}

/**
 * Whether there is, or was, a guest of that name and it is this customer's. It asks the server only, in one call: a guest of somebody else takes as long as
 * one that does not exist.
 */
export async function isOfCustomer(session: Session, guest: string, customer: string): Promise<boolean> {
  try {
    const { typedSearchAttributes } = await session.call(`guest ${guest}`, () =>
      session.client.workflow.getHandle(guestWorkflowId(guest)).describe(),
    );
    const mark = typedSearchAttributes.get(KEY);
    return mark !== undefined && customerMarks(session, customer).includes(mark);
  } catch (error) {
    if (error instanceof GuestflowError && error.type === 'NotFound') return false;
    throw error;
  }
}

function markBy(key: CodecKey | undefined, customer: string): string {
  return createHmac('sha256', key?.secret ?? '')
    .update(`guestflow customer\0${customer}`)
    .digest('hex')
    .slice(0, LENGTH);
}
