/** What a guest does: its order, then one operation after another, and what falls due by itself. */
import { ApplicationFailure, executeChild, log, setCurrentDetails, type ChildWorkflowOptions } from '@temporalio/workflow';
import type { Dom0Lost, DomainGone, GuestOrder, GuestPhase, GuestRef, GuestSpec, GuestStatus } from '../../contract/guest.ts';
import type { OperationRequest, OperationResult } from '../../contract/guest-requests.ts';
import type { OperationKind } from '../../contract/operations.ts';
import { defined } from '../../contract/defined.ts';
import { rootFailure } from '../saga/operation.ts';
import { refuse, type GuestAtWork } from './at-work.ts';
import { OperationChild } from './child.ts';
import { adopted, afterDomainGone, dueNow, phaseAfterFailure, provisioned, withFailure, withoutDues, type Due } from './life.ts';
import { hearOfDom0, heedDom0, isToBeLost, lostFailure } from './dom0-loss.ts';
import { afterFailedBackup, FIRST_BACKUP, makesWay, withFirstBackupDue } from './first-backup.ts';
import { dom0Of, isNews, whyLost, whyNotElsewhere } from './lost.ts';
import { Nights } from './nights.ts';
import { PERFORMERS } from './operations/performers.ts';
import { performRemoval } from './operations/removal.ts';
import type { Before } from './operations/shared.ts';
import { OperationQueue } from './queue.ts';
import { adoptGuest } from './recipes/adopt.ts';
import { provisionGuest } from './recipes/provision.ts';
import { beforeOf, leavesDomain, mayRun } from './rules.ts';
import { firstProof } from './proofs.ts';
import { publishBackups, publishGuest } from './shown.ts';
import { describeGuest, ordered, withoutSettled, type GuestState } from './state.ts';

/** How the ids begin of what a guest asks of itself. Default: `restart`. */
const ID_OF_DUE: Readonly<Partial<Record<Due['kind'], string>>> = { prove: 'round', backup: FIRST_BACKUP.id };

export class GuestWork implements GuestAtWork {
  readonly order: GuestOrder;
  state: GuestState;
  readonly queue = new OperationQueue();
  readonly nights: Nights;
  readonly child: OperationChild;
  /** The whole guest is being removed, or its removal has failed. */
  isRemoving = false;

  constructor(order: GuestOrder, carried: GuestState = ordered(order, new Date().toISOString())) {
    this.order = order;
    this.state = carried;
    this.child = new OperationChild(
      () => ({ ...this.ref, dom0: dom0Of(this.state) }),
      () => this.show(),
    );
    this.nights = this.nightsOf();
    publishGuest(this.state);
  }

  /** On the dom0 where it lives now: not the order's, if that one was lost. */
  get ref(): GuestRef {
    const { name, order, dom0 } = this.state;
    return { name, order, dom0 };
  }

  private nightsOf(): Nights {
    return new Nights({
      name: this.order.name,
      order: this.order.order,
      nights: () => this.state.nights ?? [],
      keep: (nights) => {
        this.state = { ...this.state, nights };
        this.show();
      },
      whyNot: () => this.whyNot('backup'),
      backUp: (id) => this.queue.ask({ kind: 'backup', id }),
    });
  }

  status(): GuestStatus {
    return { ...this.state, ...defined({ operation: this.child.running }), queued: this.queue.waiting };
  }

  /** Why an operation cannot be asked for now; undefined if it can. */
  whyNot(kind: OperationKind): string | undefined {
    const { running } = this.child;
    const isInTheWay = running !== undefined && !makesWay(this.state, running, kind);
    return this.whyRefused(kind, isInTheWay ? running.kind : undefined, this.queue.length);
  }

  private whyRefused(kind: OperationKind, running: string | undefined, queued: number): string | undefined {
    const { state } = this;
    return whyLost(kind, state) ?? whyNotElsewhere(kind, state) ?? mayRun(kind, state.phase, running, queued);
  }

  runChild<T>(kind: string, id: string, start: (options: Omit<ChildWorkflowOptions, 'args' | 'typeInfo'>) => Promise<T>): Promise<T> {
    return this.child.run(kind, id, start);
  }

  /** Does an operation when it is its turn. A first backup makes way for it. */
  async ask(request: OperationRequest): Promise<OperationResult> {
    if (makesWay(this.state, this.child.running, request.kind)) this.child.cancel();
    return this.queue.ask(request);
  }

  askFor(request: OperationRequest): void {
    this.queue.add(request);
  }

  setPhase(phase: GuestPhase): void {
    this.state = { ...this.state, phase };
    publishGuest(this.state);
    this.show();
  }

  private show(): void {
    publishBackups(this.state, this.order.backup.proveDays);
    setCurrentDetails(describeGuest(this.state, this.child.running));
  }

  get spec(): GuestSpec {
    const { spec } = this.state;
    if (spec === undefined) throw refuse('Busy', `${this.order.name} has not been provisioned`);
    return spec;
  }

  get before(): Before {
    return beforeOf(this.state.phase);
  }

  settlePhase(kind: OperationKind, phase: GuestPhase): OperationResult {
    this.state = withoutDues(this.state);
    this.setPhase(phase);
    return { kind, phase };
  }

  /** The order itself. When it fails and is undone, the workflow fails with it, and the name is free. */
  async provision(): Promise<void> {
    this.setPhase('provisioning');
    try {
      const made = await this.runChild('provision', this.order.order, (options) =>
        executeChild(provisionGuest, { ...options, args: [this.order] }),
      );
      this.state = withFirstBackupDue(this.withFirstProof(provisioned(this.state, made)), Date.now());
      this.setPhase('running');
      this.askFor(FIRST_BACKUP);
    } catch (error) {
      if (this.hasNewsOfDom0) return;
      this.fail(error);
      if (this.state.phase !== 'needs-cleanup') throw asFailure(error);
    }
  }

  /** Takes a guest over that is there. When that fails, the workflow fails with it; the guest goes on as it was. */
  async adopt(): Promise<void> {
    this.setPhase('provisioning');
    try {
      const found = await this.runChild('adopt', this.order.order, (options) =>
        executeChild(adoptGuest, { ...options, args: [this.order] }),
      );
      this.state = this.withFirstProof(adopted(this.state, found, Date.now()));
      this.setPhase(found.phase);
    } catch (error) {
      const { type, message } = rootFailure(error);
      this.state = withFailure(this.state, { type, message, operation: this.child.last, leftovers: [] });
      // Never `needs-cleanup`: cleaning up would remove the guest.
      this.setPhase('failed');
      throw asFailure(error);
    }
  }

  private withFirstProof(state: GuestState): GuestState {
    return { ...state, ...firstProof(this.order.backup.proveDays, Date.now(), Math.random()) };
  }

  private fail(error: unknown): void {
    const { type, message, details } = rootFailure(error);
    this.state = withFailure(this.state, { type, message, operation: this.child.last, leftovers: details.leftovers });
    const phase = phaseAfterFailure(this.state, type, this.isRemoving);
    if (phase === undefined) this.show();
    else this.setPhase(phase);
  }

  /** Runs what is next in the queue. */
  async next(): Promise<void> {
    await this.queue.next(async (ticket) => {
      try {
        ticket.result = await this.perform(ticket.request);
        this.state = withoutSettled(this.state, ticket.request.kind);
        this.show();
      } catch (error) {
        const cause = isToBeLost(this) ? lostFailure(this.state) : error;
        this.fail(cause);
        if (ticket.request.kind === 'backup') this.state = afterFailedBackup(this.state, rootFailure(cause).message);
        ticket.failure = asFailure(cause);
        log.warn('an operation failed', { kind: ticket.request.kind, reason: ticket.failure.message });
      }
    });
  }

  private async perform(request: OperationRequest): Promise<OperationResult> {
    const { kind } = request;
    // The phase may have changed while the request waited behind another.
    const reason = this.whyRefused(kind, undefined, 0);
    if (reason !== undefined) throw refuse('Busy', `${kind} of ${this.order.name} is refused: ${reason}`);
    // An earlier removal has failed, and this operation does not go on with it.
    this.isRemoving = false;
    return PERFORMERS[kind](this, request);
  }

  /** Whether its dom0 was lost, or found again, and that is still to be heeded. */
  get hasNewsOfDom0(): boolean {
    return isNews(this.state);
  }

  async hearOfDom0(what: Dom0Lost): Promise<void> {
    await hearOfDom0(this, what);
  }

  async heedDom0(): Promise<void> {
    await heedDom0(this);
  }

  /** The domain has ended. If an operation runs that does something to it, that has ended it on purpose. */
  domainGone(end: Omit<DomainGone, 'order' | 'dom0'>): void {
    const { running } = this.child;
    if (running !== undefined && !leavesDomain(running.kind)) return;
    this.state = afterDomainGone(this.state, this.order.life.restart ?? 'always', end, Date.now());
  }

  /** Does what is due. A start is an operation like any other. */
  async onDue(): Promise<void> {
    const due = dueNow(this.state, Date.now());
    if (due === undefined) return this.purge();
    this.state = due.then;
    const id = `${ID_OF_DUE[due.kind] ?? 'restart'}-${due.at}`;
    const ticket = this.queue.add({ kind: due.kind, id, ...(due.kind === 'prove' ? { whenIdle: true } : {}) });
    await this.next();
    // After a failed start, the domain counts as gone again. After a failed stop nothing is to be done: its dom0 reports the domain again.
    if (ticket.failure !== undefined && due.kind === 'start') this.domainGone({});
  }

  /** A grace period is over: removes the guest, or its kept backups. If that fails, the guest is in needs-cleanup. */
  private async purge(): Promise<void> {
    try {
      const { graceUntil, backupsUntil } = this.state;
      if (backupsUntil === undefined)
        await performRemoval(this, 'terminate', `grace-${graceUntil ?? ''}`, this.order.backup.keepBackupsDays);
      else await performRemoval(this, 'terminate', `backups-${backupsUntil}`);
    } catch (error) {
      this.fail(error);
    }
  }
}

/** The failure of an operation, as whoever asked for it gets it. */
function asFailure(error: unknown): ApplicationFailure {
  const { type, message, details } = rootFailure(error);
  return ApplicationFailure.create({ type, message, nonRetryable: true, details: [details] });
}
