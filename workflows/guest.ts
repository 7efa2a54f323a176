/** guest: one workflow for each guest, for as long as it lives. Starting it is the order; it runs one operation at a time. */
import {
  allHandlersFinished,
  ApplicationFailure,
  CancellationScope,
  condition,
  continueAsNew,
  defineQuery,
  defineSignal,
  defineUpdate,
  executeChild,
  isCancellation,
  log,
  setCurrentDetails,
  setHandler,
  upsertMemo,
  upsertSearchAttributes,
  workflowInfo,
  type ChildWorkflowOptions,
} from '@temporalio/workflow';
import { defineSearchAttributeKey } from '@temporalio/common';
import { GUEST_SIGNALS, GUEST_UPDATES, operationWorkflowId, QUERIES, SEARCH_ATTRIBUTES } from '../contract/names.ts';
import { TAKES_MEMO, takenBy } from '../contract/takes.ts';
import { BACKUP_PRIORITY } from '../contract/nights.ts';
import { isSameOrder } from '../contract/same-order.ts';
import type {
  BackupRecord,
  DomainGone,
  GuestOrder,
  GuestPhase,
  GuestRef,
  GuestSpec,
  GuestStatus,
  OperationKind,
  OperationRequest,
  OperationResult,
  OrderAnswer,
} from '../contract/types.ts';
import { Nights, nightSignal } from './guest-nights.ts';
import { beforeOf, mayRun, whyNotChange } from './guest-rules.ts';
import { describeGuest, graceLeftMs, notBefore, untilDueMs, withoutSettled, type GuestState } from './guest-state.ts';
import { rootFailure } from './operation.ts';
import {
  backupGuest,
  changePlan,
  powerGuest,
  resumeGuest,
  retireGuest,
  reviveGuest,
  suspendGuest,
  terminateGuest,
  type Before,
} from './operations.ts';
import { provisionGuest } from './provision-guest.ts';
import { answerTo, recentRestarts, RESTART_ID } from './restarts.ts';
import { declareVersioning } from './versioning.ts';
import { defined } from '../contract/defined.ts';

export interface GuestInput {
  readonly order: GuestOrder;
  /** Set when it continues as new. */
  readonly carried?: GuestState;
}

interface Ticket {
  readonly request: OperationRequest;
  isBegun?: true;
  result?: OperationResult;
  failure?: ApplicationFailure;
}

/** Backups kept in the state; older ones are on the dom0, and listed there. */
const BACKUPS_KEPT = 30;
const WARNINGS_KEPT = 20;
const DAY_MS = 86_400_000;

export const statusQuery = defineQuery<GuestStatus>(QUERIES.status);
export const orderUpdate = defineUpdate<OrderAnswer, [GuestOrder]>(GUEST_UPDATES.order);
export const operateUpdate = defineUpdate<OperationResult, [OperationRequest]>(GUEST_UPDATES.operate);
export const domainGoneSignal = defineSignal<[DomainGone]>(GUEST_SIGNALS.domainGone);
export const cancelUpdate = defineUpdate<{ cancelled?: string }>(GUEST_UPDATES.cancel);

function refuse(type: string, message: string, field?: string): ApplicationFailure {
  return ApplicationFailure.create({ type, nonRetryable: true, message, details: [field === undefined ? {} : { field }] });
}

class Guest {
  private readonly order: GuestOrder;
  private state: GuestState;
  private readonly queue: Ticket[] = [];
  private readonly nights: Nights;
  /** All of it is going, or was going when that failed. */
  private isRemoving = false;
  /** A cancel in the UI has come: this run hears of no other. */
  private isRunUsed = false;
  /** Workflow id of the operation that runs, or ran last. */
  private lastRun: string | undefined;
  private running: { kind: string; workflowId: string; startedAt: string; scope: CancellationScope } | undefined;

  constructor({ order, carried }: GuestInput) {
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
    this.publish();
    setHandler(statusQuery, () => this.status());
    setHandler(orderUpdate, () => this.answer(), {
      validator: (again: GuestOrder) => {
        this.mustBeSameOrder(again);
      },
    });
    setHandler(operateUpdate, (request) => this.operate(request), {
      validator: (request: OperationRequest) => {
        this.mustBeAllowed(request);
      },
    });
    setHandler(cancelUpdate, () => this.cancel(), {
      validator: () => {
        this.mustBeCancellable();
      },
    });
    setHandler(nightSignal, (request) => CancellationScope.nonCancellable(() => this.nights.take(request)));
    setHandler(domainGoneSignal, ({ order: of, ...end }) => {
      // What an operation does to the domain is meant; a backup does nothing to it.
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
      backUp: (id) => this.operate({ kind: 'backup', id }),
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
      queued: this.queue.filter(({ isBegun }) => isBegun !== true).map(({ request }) => request.kind),
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

  /** What a removal has taken away is gone: it goes on. */
  private mustBeCancellable(): void {
    const { running } = this;
    if (running !== undefined && this.isRemoving)
      throw refuse('Busy', `${running.kind} of ${this.order.name} cannot be cancelled: what it has removed cannot be brought back`);
  }

  private async operate(request: OperationRequest): Promise<OperationResult> {
    const ticket: Ticket = { request };
    this.queue.push(ticket);
    const ended = (): Promise<void> => condition(() => ticket.result !== undefined || ticket.failure !== undefined);
    // A cancel in the UI is for what runs: it ends no wait, neither now nor for what is asked for later.
    await ended().catch((error: unknown) => {
      if (!isCancellation(error)) throw error;
      return CancellationScope.nonCancellable(ended);
    });
    if (ticket.result !== undefined) return ticket.result;
    throw ticket.failure ?? refuse('ToolFailed', 'the operation ended without a result');
  }

  /** By a cancel in the UI. Temporal passes only the first one on to a run. */
  cancelRun(): void {
    this.cancel();
    this.isRunUsed = true;
  }

  /** It goes on in a new run when it can. */
  get wantsNewRun(): boolean {
    return this.isRunUsed || workflowInfo().continueAsNewSuggested;
  }

  cancel(): { cancelled?: string } {
    const { running } = this;
    if (running === undefined) return {};
    running.scope.cancel();
    return { cancelled: running.kind };
  }

  /** What lists of guests show of it. One that was started by hand is in them, too. */
  private publish(): void {
    const { memo, typedSearchAttributes } = workflowInfo();
    const { name, order, dom0, plan, phase, spec } = this.state;
    const shown = [
      [SEARCH_ATTRIBUTES.guest, name],
      [SEARCH_ATTRIBUTES.order, order],
      [SEARCH_ATTRIBUTES.dom0, dom0],
      [SEARCH_ATTRIBUTES.plan, plan],
      [SEARCH_ATTRIBUTES.phase, phase],
    ].map(([attribute = '', value = '']) => ({ key: defineSearchAttributeKey(attribute, 'KEYWORD'), value }));
    const news = shown.filter(({ key, value }) => typedSearchAttributes.get(key) !== value);
    if (news.length > 0) upsertSearchAttributes(news);
    const takes = spec === undefined ? undefined : takenBy(spec);
    if (takes !== undefined && JSON.stringify(memo?.[TAKES_MEMO]) !== JSON.stringify(takes)) upsertMemo({ [TAKES_MEMO]: takes });
  }

  private setPhase(phase: GuestPhase): void {
    this.state = { ...this.state, phase };
    this.publish();
    this.show();
  }

  private show(): void {
    setCurrentDetails(describeGuest(this.state, this.running));
  }

  /** Runs a child workflow in a scope of its own, which `cancel` reaches. */
  private async runChild<T>(
    kind: string,
    id: string,
    start: (options: Omit<ChildWorkflowOptions, 'args' | 'typeInfo'>) => Promise<T>,
  ): Promise<T> {
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
      const { spec, wallclock, backup, scheduleId, warnings } = await this.runChild('provision', this.order.order, (options) =>
        executeChild(provisionGuest, { ...options, args: [this.order] }),
      );
      this.state = { ...this.state, spec, wallclock, scheduleId, warnings, backups: [backup] };
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

  /**
   * Keeps what failed. A guest that was being made or removed, with something left on the dom0, needs cleaning up. One that is there keeps
   * its phase: cleaning up would take its data; the operation can be asked for again.
   */
  private fail(error: unknown): void {
    const { type, message, details } = rootFailure(error);
    const { lastRun: operation } = this;
    this.state = {
      ...this.state,
      error: { type, message, ...defined({ operation }) },
      leftovers: details.leftovers ?? this.state.leftovers,
    };
    if (type === 'NeedsCleanup' && (this.state.spec === undefined || this.isRemoving)) this.setPhase('needs-cleanup');
    else if (this.state.phase === 'provisioning') this.setPhase('failed');
    else this.show();
  }

  /** Whether there is nothing left to do: the guest is gone. */
  get isOver(): boolean {
    return (this.state.phase === 'gone' && this.state.backupsUntil === undefined) || this.state.phase === 'failed';
  }

  hasWork(): boolean {
    return this.queue.length > 0;
  }

  /** Runs what is next in the queue. */
  async next(): Promise<void> {
    const ticket = this.queue[0];
    if (ticket === undefined) return;
    ticket.isBegun = true;
    try {
      ticket.result = await this.perform(ticket.request);
      this.state = withoutSettled(this.state, ticket.request.kind);
      this.show();
    } catch (error) {
      this.fail(error);
      ticket.failure = this.asFailure(error);
      log.warn('an operation failed', { kind: ticket.request.kind, reason: ticket.failure.message });
    } finally {
      this.queue.shift();
    }
  }

  private async perform(request: OperationRequest): Promise<OperationResult> {
    const { kind, id } = request;
    // The phase may have changed while the request waited behind another.
    const reason = mayRun(kind, this.state.phase, undefined, 0);
    if (reason !== undefined) throw refuse('Busy', `${kind} of ${this.order.name} is refused: ${reason}`);
    // A removal that did not come to its end, and was not gone on with.
    this.isRemoving = false;
    switch (kind) {
      case 'start':
      case 'stop':
      case 'destroy':
        await this.runChild(kind, id, (options) =>
          executeChild(powerGuest, { ...options, args: [{ spec: this.spec, action: kind, before: this.before }] }),
        );
        return this.becomes(kind, kind === 'start' ? 'running' : 'stopped');
      case 'suspend':
        if (this.state.phase !== 'suspended')
          await this.runChild(kind, id, (options) =>
            executeChild(suspendGuest, { ...options, args: [{ spec: this.spec, before: this.before }] }),
          );
        return this.becomes(kind, 'suspended');
      case 'resume':
        if (this.state.phase === 'suspended')
          await this.runChild(kind, id, (options) =>
            executeChild(resumeGuest, { ...options, args: [{ spec: this.spec, before: this.before }] }),
          );
        return this.becomes(kind, 'running');
      case 'changePlan':
        return this.changePlan(request);
      case 'backup': {
        const backup = await this.runChild(kind, id, (options) =>
          executeChild(backupGuest, { ...options, priority: BACKUP_PRIORITY, args: [this.ref] }),
        );
        this.addBackup(backup);
        return { kind, phase: this.state.phase, backup };
      }
      case 'terminate':
        if (request.now === true) return this.remove(kind, id);
        if (this.state.phase === 'gone') return { kind, phase: 'gone' };
        return this.order.graceDays === 0 ? this.remove(kind, id, this.order.keepBackupsDays) : this.retire(id);
      case 'undelete':
        return this.undelete(id);
      case 'cleanup':
        if ((graceLeftMs(this.state, Date.now()) ?? 0) > 0)
          throw refuse(
            'Busy',
            `cleanup of ${this.order.name} is refused: its data stays until ${this.state.graceUntil ?? ''}; "terminate --now" ends that`,
          );
        return this.remove(kind, id, this.state.removalKeepsDays);
    }
  }

  private get spec(): GuestSpec {
    const { spec } = this.state;
    if (spec === undefined) throw refuse('Busy', `${this.order.name} has not been provisioned`);
    return spec;
  }

  /** Back to what it was before it was terminated. */
  private async undelete(id: string): Promise<OperationResult> {
    const { phase, retiredFrom = 'running' } = this.state;
    if (phase !== 'terminating') return { kind: 'undelete', phase };
    const before = beforeOf(retiredFrom);
    try {
      await this.runChild('undelete', id, (options) => executeChild(reviveGuest, { ...options, args: [{ spec: this.spec, before }] }));
    } catch (error) {
      // Somebody wants it back: its data does not go before that could be tried again.
      this.state = { ...this.state, graceUntil: notBefore(this.state.graceUntil, Date.now() + DAY_MS) };
      throw error;
    }
    return this.becomes('undelete', retiredFrom);
  }

  private get before(): Before {
    return beforeOf(this.state.phase);
  }

  private becomes(kind: OperationKind, phase: GuestPhase): OperationResult {
    const { graceUntil: _over, restartAt: _done, leavesStopped: _left, ...rest } = this.state;
    this.state = rest;
    this.setPhase(phase);
    return { kind, phase };
  }

  private async changePlan({ kind, id, change }: OperationRequest): Promise<OperationResult> {
    const from = this.spec;
    if (change === undefined) throw refuse('InvalidInput', 'changePlan needs the plan to change to', 'change');
    const isRunning = this.state.phase === 'running';
    const { mayRestart, ...sizes } = change;
    const needsRestart = isRunning && !mayRestart && change.diskBytes !== from.diskBytes;
    const reason = whyNotChange(from, change, needsRestart);
    if (reason !== undefined) throw refuse('InvalidInput', reason, 'plan');
    const { maxMemoryBytes: _room, maxVcpus: _most, ...rest } = from;
    const to: GuestSpec = { ...rest, ...sizes };
    await this.runChild(kind, id, (options) => executeChild(changePlan, { ...options, args: [{ from, to, isRunning, mayRestart }] }));
    this.state = { ...this.state, spec: to, plan: to.plan };
    return this.becomes(kind, this.state.phase);
  }

  /** The guest stops at once; its data stays until the grace period is over. */
  private async retire(id: string): Promise<OperationResult> {
    if (this.state.phase !== 'terminating') {
      await this.runChild('terminate', id, (options) =>
        executeChild(retireGuest, { ...options, args: [{ spec: this.spec, before: this.before }] }),
      );
      this.state = {
        ...this.state,
        retiredFrom: this.state.phase,
        graceUntil: new Date(Date.now() + this.order.graceDays * DAY_MS).toISOString(),
      };
      this.setPhase('terminating');
    }
    const { graceUntil } = this.state;
    return { kind: 'terminate', phase: this.state.phase, ...defined({ graceUntil }) };
  }

  /** Its domain has ended, and nobody asked for that: it is started again after a pause, or left stopped. */
  private domainGone(end: Omit<DomainGone, 'order'>): void {
    if (this.state.phase !== 'running' || this.state.restartAt !== undefined) return;
    const restarts = recentRestarts(this.state.restarts ?? [], Date.now());
    const answer = answerTo(this.order.restart ?? 'always', end, restarts, Date.now());
    if ('startAt' in answer) this.state = { ...this.state, restarts, restartAt: answer.startAt };
    else if ('counted' in answer) this.state = { ...this.state, restarts: [...restarts, answer.counted] };
    else this.leaveStopped(answer.leave);
  }

  /** By an operation: Xen may have started it again, and xendomains would after the next boot of its dom0. */
  private leaveStopped(reason: string): void {
    this.state = {
      ...this.state,
      warnings: [...this.state.warnings, reason].slice(-WARNINGS_KEPT),
      leavesStopped: true,
      restartAt: new Date(Date.now()).toISOString(),
    };
  }

  /** Milliseconds until something is due that nobody asks for; undefined when nothing is. */
  get timerMs(): number | undefined {
    return untilDueMs(this.state, Date.now());
  }

  get restartAt(): string | undefined {
    return this.state.restartAt;
  }

  /** What was due is done. A start is an operation like any other. */
  async timeIsUp(): Promise<void> {
    const { restartAt: at, phase, restarts = [] } = this.state;
    if (phase !== 'running' || at === undefined) return this.purge();
    const { restartAt: _due, leavesStopped, ...rest } = this.state;
    this.state = leavesStopped === true ? rest : { ...rest, restarts: [...restarts, at] };
    const ticket: Ticket = { request: { kind: leavesStopped === true ? 'stop' : 'start', id: `${RESTART_ID}${at}` } };
    this.queue.push(ticket);
    await this.next();
    // One that could not be stopped is told of again by its dom0.
    if (ticket.failure !== undefined && leavesStopped !== true) this.domainGone({});
  }

  /** The grace period is over: all of the guest goes; or the one of its backups. Its failure leaves it in needs-cleanup. */
  async purge(): Promise<void> {
    try {
      const { graceUntil, backupsUntil } = this.state;
      if (backupsUntil === undefined) await this.remove('terminate', `grace-${graceUntil ?? ''}`, this.order.keepBackupsDays);
      else await this.remove('terminate', `backups-${backupsUntil}`);
    } catch (error) {
      this.fail(error);
    }
  }

  private addBackup(backup: BackupRecord): void {
    this.state = { ...this.state, backups: [...this.state.backups, backup].slice(-BACKUPS_KEPT) };
  }

  /** @param keepBackupsDays its backups go later; default: with all the rest */
  private async remove(kind: OperationKind, id: string, keepBackupsDays = 0): Promise<OperationResult> {
    const wasOrdered = this.state.spec === undefined;
    const keeps = keepBackupsDays > 0 ? ({ keepsBackups: true } as const) : {};
    if (!wasOrdered) this.setPhase('terminating');
    this.isRemoving = true;
    const { removalKeepsDays: _former, ...state } = this.state;
    this.state = keepBackupsDays > 0 ? { ...state, removalKeepsDays: keepBackupsDays } : state;
    await this.runChild(kind, id, (options) =>
      executeChild(terminateGuest, { ...options, args: [wasOrdered ? { ...this.ref, dist: this.order.dist } : { ...this.ref, ...keeps }] }),
    );
    const { graceUntil: _over, backupsUntil: _gone, removalKeepsDays: _done, ...rest } = this.state;
    const until = new Date(Date.now() + keepBackupsDays * DAY_MS).toISOString();
    this.state = { ...rest, leftovers: [], ...(keeps.keepsBackups === true ? { backupsUntil: until } : {}) };
    this.setPhase(wasOrdered ? 'failed' : 'gone');
    return { kind, phase: this.state.phase };
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

  carried(): GuestInput {
    return { order: this.order, carried: this.state };
  }
}

export async function guest(input: GuestInput): Promise<void> {
  const self = new Guest(input);
  // Cancel in the UI means: stop what you are doing and undo it. A guest at rest is not taken away by it.
  void CancellationScope.current().cancelRequested.catch(() => {
    self.cancelRun();
  });
  await CancellationScope.nonCancellable(async () => {
    if (input.carried === undefined) await self.provision();
    // What waits when the guest has gone is refused, not left waiting.
    while (!self.isOver || self.hasWork()) {
      const { timerMs, restartAt } = self;
      const isWoken = (): boolean => self.hasWork() || self.restartAt !== restartAt || self.wantsNewRun;
      const woken = timerMs === undefined ? await condition(isWoken).then(() => true) : await condition(isWoken, timerMs);
      if (self.hasWork()) await self.next();
      else if (!woken) await self.timeIsUp();
      else if (self.wantsNewRun) {
        await condition(allHandlersFinished);
        if (!self.hasWork()) await continueAsNew<typeof guest>(self.carried());
      }
    }
    await condition(allHandlersFinished);
    if (self.outcome !== undefined) throw self.outcome;
  });
}

// A guest lives for years: it must be able to go on with new code: from 0.1.0 on, changes to it are patched.
declareVersioning('AUTO_UPGRADE', guest);
