/**
 * Names of workflows, updates, queries and signals that carry what is sent and what comes back, as the type of a function. At run time they are plain
 * strings. Free of imports, so that workflow code can use it.
 */

/** What is sent, and what comes back. */
export type Signature = (...args: never[]) => unknown;

/** Of a workflow, in time. */
export type Answer<S extends Signature> = Promise<ReturnType<S>>;

declare const SIGNATURE: unique symbol;

interface Named<Of extends string, S extends Signature> {
  readonly [SIGNATURE]: { readonly of: Of; readonly signature: S };
}

/** A workflow type, with its input and its result. */
export type WorkflowName<S extends Signature> = string & Named<'workflow', S>;
export type UpdateName<S extends Signature> = string & Named<'update', S>;
export type QueryName<S extends Signature> = string & Named<'query', S>;
/** A signal has no answer. */
export type SignalName<S extends Signature> = string & Named<'signal', S>;

export function workflowName<S extends Signature>(name: string): WorkflowName<S> {
  return name as WorkflowName<S>;
}

export function updateName<S extends Signature>(name: string): UpdateName<S> {
  return name as UpdateName<S>;
}

export function queryName<S extends Signature>(name: string): QueryName<S> {
  return name as QueryName<S>;
}

export function signalName<S extends Signature>(name: string): SignalName<S> {
  return name as SignalName<S>;
}
