/** What `/v1` needs of Temporal, behind one seam. */
import type { NetworkState } from '../../contract/capacity.ts';
import type { Dom0Look } from '../../client/dom0s/fleet.ts';
import type { UnplacedOrder } from '../../order/order.ts';
import type { OperationWish } from '../../client/guests/access.ts';
import type { OpenFiles } from '../../client/guests/backup-files.ts';
import type { GuestStatus } from '../../contract/guest.ts';
import type { GuestUsage } from '../../contract/usage.ts';
import type { OperationOutcome } from '../../contract/billing.ts';
import type { GuestRowDocument, OperationDocument } from './answers.ts';

export interface ListRequest {
  readonly limit: number;
  /** `next` of the page before, unchanged: Temporal's page token, base64url. */
  readonly cursor?: string | undefined;
  readonly phase?: string | undefined;
  readonly dom0?: string | undefined;
  /** Only guests of the customer with this id. */
  readonly customer?: string | undefined;
  /** Only the guest of this name. */
  readonly guest?: string | undefined;
}

/** The fleet as its ledgers are. */
export interface FleetLook {
  readonly dom0s: readonly Dom0Look[];
  readonly networks: readonly NetworkState[];
}

/** Every method throws `GuestflowError`. */
export interface GuestApi {
  /** Orders; returns when the order is taken. The same order again gets the same answer. */
  order(order: UnplacedOrder): Promise<{ readonly guest: string; readonly order: string; readonly dom0: string }>;
  status(name: string): Promise<GuestStatus>;
  /** Whether there is, or was, a guest of that name that is this customer's. One of somebody else takes as long as one that does not exist. */
  isOf(name: string, customer: string): Promise<boolean>;
  /** What it has used, at most a minute old. */
  usage(name: string): Promise<GuestUsage>;
  list(request: ListRequest): Promise<{ readonly guests: readonly GuestRowDocument[]; readonly next?: string }>;
  /** Asks for an operation, and waits a moment for its end. The hash of a password is sealed before it is sent. */
  operate(name: string, request: OperationWish): Promise<OperationOutcome>;
  /** The operations that a guest has had, newest first. */
  operations(name: string): Promise<readonly OperationDocument[]>;
  operation(name: string, kind: string, id: string): Promise<OperationDocument>;
  /** Cancels what runs, which is undone then. Gives its kind; undefined when nothing runs. */
  cancel(name: string): Promise<string | undefined>;
  /** Has a guest's console connected to this gateway, by a token that its dom0 gets sealed. Returns when it is. */
  openConsole(name: string, console: { readonly id: string; readonly token: string }): Promise<void>;
  /** Has a backup of a guest opened on its dom0, which connects to this gateway by a token that it gets sealed. Returns when it has. */
  openFiles(name: string, wish: OpenFiles): Promise<void>;
  /** All dom0s and networks. */
  fleet(): Promise<FleetLook>;
}
