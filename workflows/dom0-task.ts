/** dom0Task: looks at a dom0, and tasks on it that are no operation on a guest. */
import { ApplicationFailure, executeChild } from '@temporalio/workflow';
import { operationWorkflowId } from '../contract/names.ts';
import type { AuditRow, GuestRef, MarkedThing } from '../contract/types.ts';
import { rootFailure } from './operation.ts';
import { terminateGuest } from './operations.ts';
import { control, dom0Steps } from './proxies.ts';
import { declareVersioning } from './versioning.ts';

/** What `dom0Task` does. */
export interface Dom0TaskInput {
  readonly host: string;
  readonly task: 'preflight' | 'prepare' | 'facts' | 'domains' | 'inspect' | 'audit' | 'clean';
  /** `inspect`: which guest. */
  readonly guest?: GuestRef;
  /** `inspect`: lines of its console. */
  readonly lines?: number;
  /** `clean`: orphans that an audit showed. Those that are claimed meanwhile are left alone. */
  readonly orphans?: readonly { readonly guest: string; readonly order: string }[];
}

/** One look at a dom0, or one task on it that is no operation on a guest. */
export async function dom0Task(input: Dom0TaskInput): Promise<unknown> {
  const { host } = dom0Steps(input.host, input.host);
  switch (input.task) {
    case 'preflight':
      return host.preflight(undefined);
    case 'prepare':
      return host.prepare(undefined);
    case 'facts':
      return host.dom0Facts(undefined);
    case 'domains':
      return host.domains(undefined);
    case 'audit':
      return auditRows(await host.audit(undefined));
    case 'clean':
      return clean(input.host, input.orphans ?? []);
    case 'inspect':
      if (input.guest === undefined)
        throw ApplicationFailure.create({ type: 'InvalidInput', nonRetryable: true, message: 'inspect needs a guest' });
      return host.inspectGuest({ ref: input.guest, consoleLines: input.lines ?? 0 });
  }
}

/** What was found, by guest and order, and whether somebody claims it. */
async function auditRows(things: readonly MarkedThing[]): Promise<AuditRow[]> {
  const owners = new Map<string, { guest: string; order: string; things: string[] }>();
  for (const { what, guest, order } of things) {
    const key = `${guest} ${order}`;
    const owner = owners.get(key) ?? { guest, order, things: [] };
    owner.things.push(what);
    owners.set(key, owner);
  }
  const all = [...owners.values()];
  const claims = await control.claims(all.map(({ guest, order }) => ({ guest, order })));
  return all.map((owner, index) => {
    const { claimed, reason } = claims[index] ?? { claimed: true, reason: 'unknown' };
    return { ...owner, claimed, reason };
  });
}

/** Removes what carries the marks of these orders, each on its own; nothing else can be reached this way. */
async function clean(
  host: string,
  orphans: readonly { guest: string; order: string }[],
): Promise<{ guest: string; order: string; outcome: string }[]> {
  const claims = await control.claims(orphans);
  const outcomes = [];
  for (const [index, orphan] of orphans.entries()) {
    const claim = claims[index];
    let outcome = `left alone: it is claimed by a guest that is ${claim?.reason ?? 'unknown'}`;
    if (claim?.claimed === false) {
      const ref = { name: orphan.guest, order: orphan.order, dom0: host };
      outcome = await executeChild(terminateGuest, {
        args: [ref],
        workflowId: operationWorkflowId(orphan.guest, 'clean', orphan.order),
        staticSummary: `remove orphan ${orphan.guest}`,
      }).then(
        () => 'removed',
        (error: unknown) => rootFailure(error).message,
      );
    }
    outcomes.push({ ...orphan, outcome });
  }
  return outcomes;
}

declareVersioning('PINNED', dom0Task);
