/**
 * What billing says of an order, as plain types: workflow code imports these and nothing of zod (`billing.ts` has the schemas).
 *
 * An event is turned into statements at the edge. Each statement carries its own time, so that the newest wins whatever the order of arrival.
 */
import type { GuestOrder, GuestPhase, OperationKind, OperationResult } from './types.ts';

/** What an event says of the order's life. `paid` alone cannot bring back what was terminated: a last invoice is paid after a cancellation, too. */
export type LifeStatement = 'active' | 'paid' | 'suspended' | 'terminated';

/** What a plan decides of an order: all of it that is neither the order's own nor the customer's. */
export type PlanTemplate = Omit<
  GuestOrder,
  | 'order'
  | 'name'
  | 'hostname'
  | 'customer'
  | 'dom0'
  | 'sshKeys'
  | 'passwordHash'
  | 'sealedPassword'
  | 'ip'
  | 'netmask'
  | 'gateway'
  | 'mac'
  | 'backupAt'
> & {
  /** Whether a guest may be restarted when it changes to this plan. */
  readonly mayRestart: boolean;
};

/** What the customer chose. */
export interface OrderWishes {
  readonly hostname: string;
  /** Id of the customer in the provider's billing. */
  readonly customer?: string;
  readonly sshKeys: readonly string[];
  readonly passwordHash?: string;
  /** As in `GuestOrder`. */
  readonly sealedPassword?: Readonly<Record<string, string>>;
  readonly dist?: string;
  readonly timezone?: string;
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
}

export interface BillingStatements {
  readonly life?: LifeStatement;
  /** The plan that is paid for. */
  readonly plan?: PlanTemplate;
  /** The plan by its name in metadata: counts until a price decides. */
  readonly namedPlan?: PlanTemplate;
  readonly wishes?: OrderWishes;
}

/** The answer to an event; the same for the same event however often it comes. */
export interface EventAnswer {
  readonly event: string;
  readonly order: string;
  /** Name of the guest that the order has or will have. */
  readonly guest: string;
  /** `conflict`: an event of this id was taken before with another body; this one changed nothing. */
  readonly verdict: 'taken' | 'conflict';
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
  /** Events that were refused. They stay until an operator has acknowledged them. */
  readonly refused: readonly OrderProblem[];
  /** The last events, newest last. */
  readonly events: readonly { readonly id: string; readonly type: string; readonly at: string; readonly receivedAt: string }[];
}

/** Updates, queries and signals of the `billingOrder` workflow. */
export const BILLING = {
  /** Update `(event: BillingEvent) → EventAnswer`. */
  event: 'event',
  /** Update `() → OrderStatus`: the operator has seen what was refused; what is in trouble is tried again at once. */
  acknowledge: 'acknowledge',
  /** Query `→ OrderStatus`. */
  status: 'orderStatus',
  /** Signal: something has changed on the guest; look at it. */
  guestChanged: 'guestChanged',
} as const;

/** Workflow id of who holds a host name. */
export function hostnameWorkflowId(hostname: string): string {
  return `hostname/${hostname}`;
}

/** Workflow type that holds a host name for an order, and the signal that ends it. */
export const HOLD_HOSTNAME = { workflow: 'holdHostname', release: 'release' } as const;

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
  | { readonly state: 'refused' | 'failed'; readonly type: string; readonly message: string };

/** Types of the webhooks that go out. */
export const NOTIFICATION_TYPES = ['guest.running', 'guest.failed', 'guest.suspended', 'guest.resumed', 'guest.terminated'] as const;

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
  };
}

/** Operations that billing asks for. */
export type BillingOperation = Extract<OperationKind, 'suspend' | 'resume' | 'changePlan' | 'terminate' | 'undelete'>;
