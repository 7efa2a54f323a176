/** Activities of billing, on the control worker: they look at guests, order them, operate them, and tell the provider. */
import { NO_OPERATORS, type Operators } from '../notify/operators.ts';
import { ApplicationFailure } from '@temporalio/common';
import { GuestflowError } from '../../../contract/errors.ts';
import type { BillingOperation, GuestView, Notification, OperatorNotification, OperationOutcome } from '../../../contract/billing.ts';
import type { UnplacedOrder } from '../../../contract/guest.ts';
import type { OperationRequest } from '../../../contract/guest-requests.ts';
import { defined } from '../../../contract/defined.ts';

/** Guests, as billing needs them. */
export interface BillingGuests {
  /** Undefined when there is none of that name. */
  look(guest: string): Promise<GuestView | undefined>;
  /** Chooses a dom0, and orders the guest. The same order again does not make a second one. */
  place(order: UnplacedOrder): Promise<void>;
  /** Asks for an operation, and waits a few seconds for it. The same request again does not begin a second one. */
  operate(guest: string, request: OperationRequest): Promise<OperationOutcome>;
  /** The order that holds a host name. */
  holderOfHostname(hostname: string): Promise<string | undefined>;
}

/** Sends a webhook; returns what the receiver answered, in words. Throws what may be tried again. */
export type Messenger = (notification: Notification) => Promise<string>;

export interface BillingDependencies {
  readonly guests: BillingGuests;
  /** Default: nobody is told. */
  readonly messenger?: Messenger | undefined;
  /** Tells operators. Default: nobody is told. */
  readonly operators?: Pick<Operators, 'send'> | undefined;
}

/** Turns an error into a failure of the same type, which the workflow reads. Temporal retries only `Unreachable`; all else the workflow tries again itself. */
async function typed<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof GuestflowError)) throw error;
    throw ApplicationFailure.create({
      type: error.type,
      message: error.message,
      nonRetryable: error.type !== 'Unreachable',
      details: [error.details],
    });
  }
}

// The type is inferred: workflows import it to call activities by name.
// eslint-disable-next-line @typescript-eslint/explicit-module-boundary-types
export function createBillingActivities({ guests, messenger, operators = NO_OPERATORS }: BillingDependencies) {
  return {
    /** A guest as it is now, and whether anybody wants to be told of it. */
    async viewGuest(guest: string): Promise<{ guest?: GuestView; tells: boolean }> {
      const view = await typed(() => guests.look(guest));
      return { ...defined({ guest: view }), tells: messenger !== undefined };
    },

    async placeGuest(order: UnplacedOrder): Promise<void> {
      await typed(() => guests.place(order));
    },

    async operateGuest(input: {
      guest: string;
      request: OperationRequest & { readonly kind: BillingOperation };
    }): Promise<OperationOutcome> {
      return typed(() => guests.operate(input.guest, input.request));
    },

    async holderOfHostname(hostname: string): Promise<string | undefined> {
      return typed(() => guests.holderOfHostname(hostname));
    },

    async deliverNotification(notification: Notification | OperatorNotification): Promise<string> {
      if (notification.type === 'operators.problems') return operators.send(notification);
      if (messenger === undefined) return 'nobody wants to be told';
      return messenger(notification);
    },
  };
}

export type BillingActivities = ReturnType<typeof createBillingActivities>;
