/** What a gateway writes into traces: each request, and the operation that it led to. */
import { operationWorkflowId } from '../contract/names.ts';
import { hasTrace } from '../contract/traces.ts';
import type { Answered } from '../system/http/handler.ts';
import type { Tracing } from '../system/tracing/tracing.ts';

/** What a route notes of a request, as far as a trace says it. */
const SAID = ['guest', 'order', 'event', 'type', 'operation', 'workflow', 'problem'] as const;

/** A span for each answer: its route, never the path or the query that somebody chose. Health checks are none. */
export function tracesAnswers(tracing: Tracing): (answered: Answered) => void {
  return ({ method, status, ms, notes }) => {
    const route = textOf(notes, 'route') ?? 'none';
    if (route === '/healthz') return;
    const said = SAID.flatMap((key) => {
      const value = textOf(notes, key);
      return value === undefined ? [] : [[`guestflow.${key}`, value] as const];
    });
    const endMs = Date.now();
    tracing.record({
      name: `${method} ${route}`,
      startMs: endMs - ms,
      endMs,
      failure: status >= 500 ? String(status) : undefined,
      leadsTo: operationOf(notes),
      attributes: { 'http.route': route, 'http.response.status_code': status, ...Object.fromEntries(said) },
    });
  };
}

/** The workflow that carries out what was asked for. An event of billing leads to the order of its guest. */
function operationOf(notes: Answered['notes']): string | undefined {
  const [workflow, guest, order] = [textOf(notes, 'workflow'), textOf(notes, 'guest'), textOf(notes, 'order')];
  if (workflow !== undefined && hasTrace(workflow)) return workflow;
  return guest === undefined || order === undefined ? undefined : operationWorkflowId(guest, 'provision', order);
}

function textOf(notes: Answered['notes'], key: string): string | undefined {
  const value = notes[key];
  return typeof value === 'string' ? value : undefined;
}
