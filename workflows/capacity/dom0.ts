/** dom0: one workflow for each dom0: its ledger, what its worker said last, and an audit of both every quarter of an hour. */
import {
  allHandlersFinished,
  ApplicationFailure,
  CancellationScope,
  condition,
  continueAsNew,
  setCurrentDetails,
  workflowInfo,
} from '@temporalio/workflow';
import type { PoolCapacity, LedgerAudit } from '../../contract/capacity.ts';
import { defined } from '../../contract/defined.ts';
import { DOM0_UPDATES, QUERIES } from '../../contract/names.ts';
import type { Dom0State, ReserveAnswer, Registration, ReserveRequest } from '../../contract/dom0.ts';
import { formatSize } from '../../contract/sizes.ts';
import { afterAudit } from './audit-ledger.ts';
import { findClaims, releaseLeases, tellGuests } from './dom0-audit.ts';
import { onQuery, onUpdate } from '../saga/handlers.ts';
import { ignoringCancel } from '../saga/ignore-cancel.ts';
import { capacityOf, isReserved, released, reserve, whyLost } from './ledger.ts';
import { afterRenewal } from './not-renewed.ts';
import { declareVersioning } from '../saga/versioning.ts';

const AUDIT_EVERY_MS = 15 * 60_000;

function diskLeft({ name, freeBytes }: PoolCapacity): string {
  return `${formatSize(Math.max(0, freeBytes))} of ${name}`;
}

function describe(state: Dom0State): string {
  const { host, facts, drained, lost, promised, audit } = state;
  const { free, guests, pools = [] } = capacityOf(state);
  const has =
    facts === undefined || free === undefined
      ? 'its worker has not registered yet'
      : `Xen ${facts.xenVersion}; ${formatSize(Math.max(0, free.memoryBytes))} of memory, ${free.vcpus} vcpus and ${pools.map(diskLeft).join(', ')} to sell; ${guests} guests`;
  return [
    `dom0 **${host}**${drained ? ' (drained)' : ''}${lost === undefined ? '' : ` (**lost** since ${lost})`}: ${has}`,
    ...(audit === undefined ? [] : [`- audit of ${audit.at}: ${audit.problem ?? 'done'}`]),
    ...(audit?.byHand ?? []).map((what) => `- made by hand: ${what}`),
    ...(audit?.orphans ?? []).map(({ guest, order, reason }) => `- ⚠ orphan ${guest} of order ${order}: ${reason}`),
    ...(state.notRenewed ?? []).map(({ dist, reason, since }) => `- ⚠ golden images of ${dist} not renewed since ${since}: ${reason}`),
    ...promised.map(
      ({ guest, memoryBytes, vcpus, diskBytes }) => `- ${guest}: ${formatSize(memoryBytes)}, ${vcpus} vcpus, ${formatSize(diskBytes)}`,
    ),
  ].join('\n');
}

class Dom0 {
  private state: Dom0State;
  private auditing: Promise<LedgerAudit> | undefined;

  constructor(initial: Dom0State) {
    this.state = initial;
    onQuery(QUERIES.ledger, () => this.state);
    onQuery(QUERIES.capacity, () => ({
      capacity: capacityOf(this.state),
      owners: this.state.promised.map(({ guest, order }) => ({ guest, order })),
      ...defined({ seenAt: this.state.facts?.seenAt }),
    }));
    onQuery(QUERIES.reserved, (request) => (isReserved(this.state, request) ? this.reserveAnswer() : undefined));
    onUpdate(
      DOM0_UPDATES.register,
      ({ replaces: _former, ...facts }) => this.change({ facts }),
      (registration) => this.mustBeTheDom0(registration),
    );
    onUpdate(DOM0_UPDATES.drain, (drained) => this.change({ drained }));
    onUpdate(DOM0_UPDATES.attach, (access) =>
      this.change({ networks: [...(this.state.networks ?? []).filter(({ cidr }) => cidr !== access.cidr), access] }),
    );
    onUpdate(DOM0_UPDATES.lost, (isLost) => this.lose(isLost));
    onUpdate(DOM0_UPDATES.reserve, (request) => this.reserve(request));
    onUpdate(DOM0_UPDATES.release, (owner) => this.change(released(this.state, owner)));
    onUpdate(DOM0_UPDATES.renewed, (outcomes) =>
      this.change({ notRenewed: afterRenewal(this.state.notRenewed ?? [], outcomes, new Date().toISOString()) }),
    );
    onUpdate(DOM0_UPDATES.audit, () => this.audit());
    this.change({});
  }

  private change(next: Partial<Dom0State>): void {
    this.state = { ...this.state, ...next };
    setCurrentDetails(describe(this.state));
  }

  /** Its guests are told each time it is asked, for one of them may not have been there at the first. */
  private async lose(isLost: boolean): Promise<void> {
    const { lost = new Date().toISOString(), ...state } = this.state;
    this.state = state;
    this.change(isLost ? { lost } : {});
    await CancellationScope.nonCancellable(() => tellGuests(this.state));
  }

  /** Only one machine at a time is this dom0. If a second one registers, it is refused; one of a dom0 that is lost, too. */
  private mustBeTheDom0({ machine, replaces }: Registration): void {
    const { host, lost } = this.state;
    if (lost !== undefined)
      throw ApplicationFailure.create({
        type: 'Busy',
        nonRetryable: true,
        message: whyLost(host, lost),
        details: [{ field: 'host', lost }],
      });
    const registered = this.state.facts?.machine;
    if (registered === undefined || machine === registered || replaces === registered) return;
    throw ApplicationFailure.create({
      type: 'Busy',
      nonRetryable: true,
      message: `another machine (${registered}) is registered as dom0 ${this.state.host}`,
      details: [{ field: 'host', value: registered }],
    });
  }

  private reserve(request: ReserveRequest): ReserveAnswer {
    const answer = reserve(this.state, request, new Date().toISOString());
    if ('type' in answer)
      throw ApplicationFailure.create({
        type: answer.type,
        message: answer.message,
        nonRetryable: true,
        details: [{ field: answer.field }],
      });
    this.change({ promised: [...this.state.promised.filter(({ guest }) => guest !== request.guest), answer.reservation] });
    return this.reserveAnswer();
  }

  private reserveAnswer(): ReserveAnswer {
    const { facts, networks = [] } = this.state;
    return {
      networks:
        facts === undefined
          ? networks
          : [{ cidr: facts.network.cidr, gateway: facts.network.gateway, bridge: facts.network.bridge }, ...networks],
    };
  }

  /** Runs one audit at a time: whoever asks meanwhile gets the answer of the audit that runs. */
  async audit(): Promise<LedgerAudit> {
    // An update runs in the scope of the whole workflow: a cancel of that must not end the audit.
    this.auditing ??= CancellationScope.nonCancellable(async () => {
      try {
        const { host, lost } = this.state;
        const look = lost === undefined ? await findClaims(this.state) : { problem: whyLost(host, lost) };
        const { state, audit, free } = afterAudit(this.state, look, new Date().toISOString());
        this.change(state);
        await releaseLeases(state.host, free);
        return audit;
      } finally {
        this.auditing = undefined;
      }
    });
    return this.auditing;
  }

  async run(): Promise<void> {
    while (!workflowInfo().continueAsNewSuggested) {
      const isOver = await condition(() => workflowInfo().continueAsNewSuggested, AUDIT_EVERY_MS);
      if (!isOver) await this.audit();
    }
    await condition(allHandlersFinished);
    await continueAsNew<typeof dom0>(this.state);
  }
}

export async function dom0(initial: Dom0State): Promise<void> {
  await ignoringCancel(() => new Dom0(initial).run());
}

declareVersioning('AUTO_UPGRADE', dom0);
