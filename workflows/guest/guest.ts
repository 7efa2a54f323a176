/** guest: one workflow for each guest, for as long as it lives. Starting it is the order; it runs one operation at a time. */
import {
  allHandlersFinished,
  ApplicationFailure,
  CancellationScope,
  condition,
  continueAsNew,
  executeChild,
  log,
  setCurrentDetails,
  workflowInfo,
  type ChildWorkflowOptions,
} from '@temporalio/workflow';
import { defineSearchAttributeKey } from '@temporalio/common';
import { defined } from '../../contract/defined.ts';
import { GUEST_SIGNALS, GUEST_UPDATES, operationWorkflowId, QUERIES, SEARCH_ATTRIBUTES } from '../../contract/names.ts';
import { isSameOrder } from '../../contract/same-order.ts';
import type {
  DomainGone,
  GuestOrder,
  GuestPhase,
  GuestRef,
  GuestSpec,
  GuestStatus,
  OperationRequest,
  OperationResult,
  OrderAnswer,
} from '../../contract/guest.ts';
import type { OperationKind } from '../../contract/operations.ts';
import type { GuestInput } from '../../contract/workflow-inputs.ts';
import { onQuery, onSignal, onUpdate } from '../saga/handlers.ts';
import { rootFailure } from '../saga/operation.ts';
import { declareVersioning } from '../saga/versioning.ts';
import { refuse, type GuestAtWork } from './at-work.ts';
import { afterDomainGone, dueNow, isOver, phaseAfterFailure, provisioned, withFailure, withoutDues } from './life.ts';
import { Nights } from './nights.ts';
import { PERFORMERS } from './operations/performers.ts';
import type { Before } from './operations/shared.ts';
import { performRemoval } from './operations/removal.ts';
import { OperationQueue, type Ticket } from './queue.ts';
import { provisionGuest } from './recipes/how-to.ts';
import { RESTART_ID } from './restarts.ts';
import { beforeOf, mayRun } from './rules.ts';
import { publishGuest } from './shown.ts';
import { describeGuest, untilDueMs, withoutSettled, type GuestState } from './state.ts';

/** The input of one run. */
export interface GuestRun extends GuestInput {
  /** Set if the guest continues as new. */
  readonly carried?: GuestState;
}

class Guest implements GuestAtWork {
  readonly order: GuestOrder;
  state: GuestState;
  private readonly queue = new OperationQueue();
  private readonly nights: Nights;
  /** The whole guest is being removed, or its removal has failed. */
  isRemoving = false;
  /** A cancel in the UI has come. Temporal tells a run only of the first one. */
  private hasSeenCancel = false;
  /** Workflow id of the operation that runs, or ran last. */
  private lastRun: string | undefined;
  private running: { kind: string; workflowId: string; startedAt: string; scope: CancellationScope } | undefined;

  constructor({ order, carried }: GuestRun) {
    this.order = order;
    this.state = carried ?? {
      name: order.name,
      ...defined({ hostname: order.hostname }),
      order: order.order,
      dom0: order.dom0,
      plan: order.plan,
      phase: 'ordered',
      orderedAt: new Date().toISOString(),
      warnings: [],
      backups: [],
      leftovers: [],
    };
    this.nights = this.nightsOf();
    publishGuest(this.state);
    onQuery(QUERIES.status, () => this.status());
    onUpdate(
      GUEST_UPDATES.order,
      () => this.answer(),
      (again) => this.mustBeSameOrder(again),
    );
    onUpdate(
      GUEST_UPDATES.operate,
      (request) => this.queue.ask(request),
      (request) => this.mustBeAllowed(request),
    );
    onUpdate(
      GUEST_UPDATES.cancel,
      () => this.cancel(),
      () => this.mustBeCancellable(),
    );
    onSignal(GUEST_SIGNALS.night, (request) => CancellationScope.nonCancellable(() => this.nights.take(request)));
    onSignal(GUEST_SIGNALS.domainGone, ({ order: of, ...end }) => {
      // If another operation than a backup runs, it has ended the domain on purpose; a backup does nothing to the domain.
      if (of === order.order && (this.running === undefined || this.running.kind === 'backup')) this.domainGone(end);
    });
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
      whyNot: () => mayRun('backup', this.state.phase, this.running?.kind, this.queue.length),
      backUp: (id) => this.queue.ask({ kind: 'backup', id }),
    });
  }

  get ref(): GuestRef {
    return { name: this.order.name, order: this.order.order, dom0: this.order.dom0 };
  }

  private status(): GuestStatus {
    const { running } = this;
    return {
      ...this.state,
      ...(running === undefined ? {} : { operation: { kind: running.kind, workflowId: running.workflowId, startedAt: running.startedAt } }),
      queued: this.queue.waiting,
    };
  }

  private answer(): OrderAnswer {
    const { workflowId, runId } = workflowInfo();
    return { workflowId, runId, name: this.order.name, order: this.order.order };
  }

  private mustBeSameOrder(again: GuestOrder): void {
    if (again.order !== this.order.order) {
      throw refuse('NotOurs', `a guest named ${this.order.name} exists: order ${this.order.order} made it. Choose another name.`, 'name');
    }
    if (!isSameOrder(this.order, again)) {
      throw refuse(
        'InvalidInput',
        `order ${this.order.order} was given before with another content: an order cannot be changed by sending it again`,
        'order',
      );
    }
  }

  private mustBeAllowed(request: OperationRequest): void {
    const reason = mayRun(request.kind, this.state.phase, this.running?.kind, this.queue.length);
    if (reason !== undefined) throw refuse('Busy', `${request.kind} of ${this.order.name} is refused: ${reason}`);
  }

  /** A removal cannot be cancelled: what it has removed cannot be brought back. */
  private mustBeCancellable(): void {
    const { running } = this;
    if (running !== undefined && this.isRemoving)
      throw refuse('Busy', `${running.kind} of ${this.order.name} cannot be cancelled: what it has removed cannot be brought back`);
  }

  /** Cancels what runs, for a cancel in the UI. Temporal passes only the first one on to a run, so the guest then continues as new. */
  cancelRun(): void {
    this.cancel();
    this.hasSeenCancel = true;
  }

  /** The guest continues as new as soon as it is at rest. */
  get shouldContinueAsNew(): boolean {
    return this.hasSeenCancel || workflowInfo().continueAsNewSuggested;
  }

  cancel(): { cancelled?: string } {
    const { running } = this;
    if (running === undefined) return {};
    running.scope.cancel();
    return { cancelled: running.kind };
  }

  setPhase(phase: GuestPhase): void {
    this.state = { ...this.state, phase };
    publishGuest(this.state);
    this.show();
  }

  private show(): void {
    setCurrentDetails(describeGuest(this.state, this.running));
  }

  /** Runs a child workflow in a scope of its own, which `cancel` reaches. */
  async runChild<T>(kind: string, id: string, start: (options: Omit<ChildWorkflowOptions, 'args' | 'typeInfo'>) => Promise<T>): Promise<T> {
    const scope = new CancellationScope({ cancellable: true });
    const workflowId = operationWorkflowId(this.order.name, kind, id);
    this.lastRun = workflowId;
    this.running = { kind, workflowId, startedAt: new Date().toISOString(), scope };
    this.show();
    try {
      return await scope.run(() =>
        start({
          workflowId,
          staticSummary: `${kind} ${this.order.name}`,
          typedSearchAttributes: [
            { key: defineSearchAttributeKey(SEARCH_ATTRIBUTES.guest, 'KEYWORD'), value: this.order.name },
            { key: defineSearchAttributeKey(SEARCH_ATTRIBUTES.dom0, 'KEYWORD'), value: this.order.dom0 },
          ],
        }),
      );
    } finally {
      this.running = undefined;
      this.show();
    }
  }

  /** The order itself. When it fails and is undone, the workflow fails with it, and the name is free. */
  async provision(): Promise<void> {
    this.setPhase('provisioning');
    try {
      const made = await this.runChild('provision', this.order.order, (options) =>
        executeChild(provisionGuest, { ...options, args: [this.order] }),
      );
      this.state = provisioned(this.state, made);
      this.setPhase('running');
    } catch (error) {
      this.fail(error);
      if (this.state.phase !== 'needs-cleanup') throw this.asFailure(error);
    }
  }

  private asFailure(error: unknown): ApplicationFailure {
    const { type, message, details } = rootFailure(error);
    return ApplicationFailure.create({ type, message, nonRetryable: true, details: [details] });
  }

  private fail(error: unknown): void {
    const { type, message, details } = rootFailure(error);
    this.state = withFailure(this.state, { type, message, operation: this.lastRun, leftovers: details.leftovers });
    const phase = phaseAfterFailure(this.state, type, this.isRemoving);
    if (phase === undefined) this.show();
    else this.setPhase(phase);
  }

  get isOver(): boolean {
    return isOver(this.state);
  }

  hasWork(): boolean {
    return this.queue.length > 0;
  }

  /** Runs what is next in the queue. */
  async next(): Promise<void> {
    await this.queue.next(async (ticket) => {
      try {
        ticket.result = await this.perform(ticket.request);
        this.state = withoutSettled(this.state, ticket.request.kind);
        this.show();
      } catch (error) {
        this.fail(error);
        ticket.failure = this.asFailure(error);
        log.warn('an operation failed', { kind: ticket.request.kind, reason: ticket.failure.message });
      }
    });
  }

  private async perform(request: OperationRequest): Promise<OperationResult> {
    const { kind } = request;
    // The phase may have changed while the request waited behind another.
    const reason = mayRun(kind, this.state.phase, undefined, 0);
    if (reason !== undefined) throw refuse('Busy', `${kind} of ${this.order.name} is refused: ${reason}`);
    // An earlier removal has failed, and this operation does not go on with it.
    this.isRemoving = false;
    return PERFORMERS[kind](this, request);
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

  private domainGone(end: Omit<DomainGone, 'order'>): void {
    this.state = afterDomainGone(this.state, this.order.life.restart ?? 'always', end, Date.now());
  }

  /** Milliseconds until something is due by itself; undefined if nothing is. */
  get timerMs(): number | undefined {
    return untilDueMs(this.state, Date.now());
  }

  get restartAt(): string | undefined {
    return this.state.restartAt;
  }

  /** Does what is due. A start is an operation like any other. */
  async onDue(): Promise<void> {
    const due = dueNow(this.state, Date.now());
    if (due === undefined) return this.purge();
    this.state = due.then;
    const ticket: Ticket = this.queue.add({ kind: due.kind, id: `${RESTART_ID}${due.at}` });
    await this.next();
    // After a failed start, the domain counts as gone again. After a failed stop nothing is to be done: its dom0 reports the domain again.
    if (ticket.failure !== undefined && due.kind === 'start') this.domainGone({});
  }

  /** A grace period is over: removes the guest, or its kept backups. If that fails, the guest is in needs-cleanup. */
  async purge(): Promise<void> {
    try {
      const { graceUntil, backupsUntil } = this.state;
      if (backupsUntil === undefined)
        await performRemoval(this, 'terminate', `grace-${graceUntil ?? ''}`, this.order.backup.keepBackupsDays);
      else await performRemoval(this, 'terminate', `backups-${backupsUntil}`);
    } catch (error) {
      this.fail(error);
    }
  }

  /** The failure with which an order that was cleaned up ends, so that its name can be ordered again. */
  get outcome(): ApplicationFailure | undefined {
    const { error, phase } = this.state;
    return phase === 'failed'
      ? ApplicationFailure.create({
          type: error?.type ?? 'ToolFailed',
          nonRetryable: true,
          message: error?.message ?? 'the order failed and was cleaned up',
        })
      : undefined;
  }

  carried(): GuestRun {
    return { order: this.order, carried: this.state };
  }
}

export async function guest(input: GuestRun): Promise<void> {
  const self = new Guest(input);
  // Cancel in the UI means: stop what you are doing, and undo it. It does not end the workflow of a guest at rest.
  void CancellationScope.current().cancelRequested.catch(() => {
    self.cancelRun();
  });
  await CancellationScope.nonCancellable(async () => {
    if (input.carried === undefined) await self.provision();
    // Requests that still wait when the guest is gone are refused; they are not left waiting.
    while (!self.isOver || self.hasWork()) {
      const { timerMs, restartAt } = self;
      const isWoken = (): boolean => self.hasWork() || self.restartAt !== restartAt || self.shouldContinueAsNew;
      const woken = timerMs === undefined ? await condition(isWoken).then(() => true) : await condition(isWoken, timerMs);
      if (self.hasWork()) await self.next();
      else if (!woken) await self.onDue();
      else if (self.shouldContinueAsNew) {
        await condition(allHandlersFinished);
        if (!self.hasWork()) await continueAsNew<typeof guest>(self.carried());
      }
    }
    await condition(allHandlersFinished);
    if (self.outcome !== undefined) throw self.outcome;
  });
}

// A guest lives for years, so its workflow must go on with new code: changes to it are patched.
declareVersioning('AUTO_UPGRADE', guest);
