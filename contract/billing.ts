/**
 * What billing says of an order, as plain types: workflow code imports these and nothing of zod (`order/billing-events.ts` has the schemas).
 *
 * An event is turned into statements at the edge. Each statement carries its own time, so that the newest wins whatever the order of arrival.
 */
import type { PlanFields } from './field-types.ts';
import type { BillingOperation } from './operations.ts';
import type { Notice, NoticeChannel } from './watch.ts';
import { queryName, signalName, updateName } from './typed-names.ts';
import type { GuestPhase } from './guest.ts';
import type { OperationResult } from './guest-requests.ts';

/** What an event says of the order's life. `paid` alone cannot bring back what was terminated: a last invoice is paid after a cancellation, too. */
export type LifeStatement = 'active' | 'paid' | 'suspended' | 'terminated';

/** What a plan decides of an order: all of it that is neither the order's own nor the customer's. */
export type PlanTemplate = PlanFields & { readonly plan: string } & {
  /** Whether a guest may be restarted when it changes to this plan. */
  readonly mayRestart: boolean;
};

/** What the customer chose; each field is a statement of its own. */
export interface OrderWishes {
  readonly hostname?: string;
  /** Id of the customer in the provider's billing. */
  readonly customer?: string;
  readonly sshKeys?: readonly string[];
  readonly passwordHash?: string;
  /** As in `GuestOrder`. */
  readonly sealedPassword?: Readonly<Record<string, string>>;
  readonly dist?: string;
  readonly timezone?: string;
}

/** Wishes that can go wrong by themselves; `order` is the id that says whose they are. */
export type WishField = 'order' | 'plan' | 'namedPlan' | 'hostname' | 'sshKeys' | 'customer' | 'dist' | 'timezone';

/** A wish that cannot be had as it was said. It refuses nothing else of its event. */
export interface BadWish {
  readonly field: WishField;
  /** Worded to follow the field's name; with the value, where that is no secret. */
  readonly reason: string;
  /** What to do about it. */
  readonly mend: string;
}

/** The raw value of a statement before and after its event, as keys: they tell which of two events of one second came second. */
export interface Change {
  readonly is: string;
  /** Undefined when the event does not say; `NEW` when there was nothing before. */
  readonly was?: string;
}

/** The key of what was before a subscription was made. */
export const NEW = 'new';

/** What says it. Default: an event of the order itself, which is one of ours. */
export interface StatementSource {
  /** Id of the subscription that it is, or is of; undefined when there is none, or none is named. */
  readonly subscription?: string;
  /**
   * `own`: the object that the statement is about. `copy`: an object that has copied the order's wishes at an earlier moment (an invoice, a checkout).
   * `once`: a payment that is of no subscription.
   */
  readonly as: 'own' | 'copy' | 'once';
  /** By what it is one of ours: by a price of a guest, or by the name of a plan. Undefined: by nothing but the order's id. */
  readonly ours?: 'price' | 'plan';
  /** Ids of its prices; of a copy that names no subscription, and has none of a guest's. */
  readonly prices?: readonly string[];
  /** Of a copy: when it was made, ISO 8601. */
  readonly copiedAt?: string;
}

/** An event of billing, after its signature and its fields were checked. */
export interface BillingEvent {
  /** Unique over all senders: `stripe/evt_…`, `signup/msg_…`. The same id again is the same event. */
  readonly id: string;
  /** sha256 of the body, hexadecimal. For Stripe without what differs between deliveries of one event. */
  readonly digest: string;
  /** Stripe's API version: two endpoints may send one event in two shapes. */
  readonly variant?: string;
  /** sha256 of what the event says, hexadecimal: two variants of one event say the same. */
  readonly meaning: string;
  /** As the sender calls it. */
  readonly type: string;
  readonly order: string;
  /** The event's own time, ISO 8601 with milliseconds in UTC. */
  readonly at: string;
  readonly says: BillingStatements;
  /** Nothing about it is ours but, perhaps, the order's id: only an order that is known takes it. */
  readonly onlyIfKnown?: true;
}

export interface BillingStatements {
  readonly life?: LifeStatement;
  /** Of a payment: it is of nothing. It begins an order, and does not end a suspension. */
  readonly isFree?: true;
  /** The plan that is paid for. */
  readonly plan?: PlanTemplate;
  /** The plan by its name in metadata: counts until a price decides. */
  readonly namedPlan?: PlanTemplate;
  readonly wishes?: OrderWishes;
  readonly bad?: readonly BadWish[];
  readonly changes?: Readonly<Partial<Record<WishField | 'life', Change>>>;
  /** Of two events of one second without a word about each other: a subscription is made, changes, ends. Default: 1. */
  readonly rank?: 0 | 1 | 2;
  readonly source?: StatementSource;
}

/** The answer to an event; the same for the same event however often it comes. */
export interface EventAnswer {
  readonly event: string;
  readonly order: string;
  /** Name of the guest that the order has or will have. */
  readonly guest: string;
  /** `conflict`: an event of this id was taken before with another body; this one changed nothing. `unknown`: there is no such order. */
  readonly verdict: 'taken' | 'conflict' | 'unknown';
}

/** What should be, from all that was said. */
export type Wish = 'nothing' | 'active' | 'suspended' | 'terminated';

/** How the workflow of an order is found by an operator: the value of its search attribute `GuestflowPhase`. */
export type OrderPhase = 'waiting' | 'working' | 'settled' | 'problem' | 'over';

/** Something that a person must know of. */
export interface OrderProblem {
  readonly at: string;
  readonly type: string;
  readonly message: string;
  /** Event that it is about. */
  readonly event?: string;
}

/** A wish of an order that cannot be had as it was said last. It goes when a later event says it well. */
export interface WishProblem extends BadWish {
  /** Since which event's time, ISO 8601. */
  readonly since: string;
  /** The event that said it last. */
  readonly event: string;
  /** Without this wish the guest is not made: nothing that could be used was ever said. */
  readonly isMissed: boolean;
}

/** All that is known of an order of billing. */
export interface OrderStatus {
  readonly order: string;
  readonly guest: string;
  readonly phase: OrderPhase;
  readonly wish: Wish;
  readonly plan?: string;
  readonly hostname?: string;
  readonly customer?: string;
  /** In words: what it waits for, or what it does. */
  readonly doing: string;
  /** Why the wish cannot be fulfilled now. It is tried again. */
  readonly trouble?: OrderProblem;
  /** Wishes that cannot be had as they were said. */
  readonly problems: readonly WishProblem[];
  /** How many guests the order has had, with this one: after the end of one, a new beginning makes another. */
  readonly life: number;
  /** Events that were refused. They stay until an operator has acknowledged them. */
  readonly refused: readonly OrderProblem[];
  /** The last events, newest last. */
  readonly events: readonly { readonly id: string; readonly type: string; readonly at: string; readonly receivedAt: string }[];
}

/** Updates, queries and signals of the `billingOrder` workflow. */
export const BILLING = {
  event: updateName<(event: BillingEvent) => EventAnswer>('event'),
  /** The operator has seen what was refused; what is in trouble is tried again at once. */
  acknowledge: updateName<() => OrderStatus>('acknowledge'),
  status: queryName<() => OrderStatus>('orderStatus'),
  /** Something has changed on the guest; look at it. */
  guestChanged: signalName<() => void>('guestChanged'),
} as const;

/** Workflow id of who holds a host name. */
export function hostnameWorkflowId(hostname: string): string {
  return `hostname/${hostname}`;
}

/** Workflow type that holds a host name for an order, and the signal that ends it. */
export const HOLD_HOSTNAME = { workflow: 'holdHostname', release: signalName<() => void>('release') } as const;

/** A guest as billing needs to see it. */
export interface GuestView {
  readonly order: string;
  readonly phase: GuestPhase;
  readonly plan: string;
  /** An operation runs on it or waits. */
  readonly isBusy: boolean;
  readonly ip?: string;
  readonly graceUntil?: string;
  readonly error?: { readonly type: string; readonly message: string };
}

/** What came of an operation that was asked for. `pending`: ask again with the same request. */
export type OperationOutcome =
  | { readonly state: 'done'; readonly result: OperationResult }
  | { readonly state: 'pending' }
  /** The guest did not take it; nothing was done. */
  | { readonly state: 'refused' | 'failed'; readonly type: string; readonly message: string; readonly field?: string };

/** Types of the webhooks that go out. */
export const NOTIFICATION_TYPES = [
  'guest.running',
  'guest.failed',
  'guest.suspended',
  'guest.resumed',
  'guest.terminated',
  'order.problem',
] as const;

export type NotificationType = (typeof NOTIFICATION_TYPES)[number];

/** A webhook that goes out; its body is `{type, timestamp, data}`. */
export interface Notification {
  /** `webhook-id`: the same for every attempt. */
  readonly id: string;
  readonly type: NotificationType;
  readonly timestamp: string;
  readonly data: {
    readonly order: string;
    readonly guest: string;
    readonly hostname?: string;
    readonly plan?: string;
    readonly ip?: string;
    /** `guest.terminated`: until when it can be taken back. */
    readonly graceUntil?: string;
    /** `guest.failed`. */
    readonly error?: { readonly type: string; readonly message: string };
    /** `order.problem`: the wish that cannot be had. */
    readonly problem?: Pick<WishProblem, 'field' | 'reason' | 'mend' | 'since'>;
  };
}

/** What operators are told, by one channel. */
export interface OperatorNotification {
  /** The same for every attempt. */
  readonly id: string;
  readonly type: 'operators.problems';
  readonly timestamp: string;
  readonly channel: NoticeChannel;
  readonly data: Notice;
}

/** Operations that billing asks for. */
export type { BillingOperation };
