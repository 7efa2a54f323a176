/** Handlers of queries, updates and signals, by the typed names of `contract/`, which say what is sent and what comes back. */
import { defineQuery, defineSignal, defineUpdate, getExternalWorkflowHandle, setHandler } from '@temporalio/workflow';
import type { QueryName, Signature, SignalName, UpdateName } from '../../contract/typed-names.ts';

type Handler<S extends Signature> = (...args: Parameters<S>) => ReturnType<S> | Promise<ReturnType<S>>;

export function onQuery<S extends Signature>(name: QueryName<S>, answer: (...args: Parameters<S>) => ReturnType<S>): void {
  setHandler(defineQuery<ReturnType<S>, Parameters<S>>(name), answer);
}

/** @param mustBeGood the update's validator: it throws the refusal. Default: none. */
export function onUpdate<S extends Signature>(
  name: UpdateName<S>,
  handle: Handler<S>,
  mustBeGood?: (...args: Parameters<S>) => void,
): void {
  setHandler(defineUpdate<ReturnType<S>, Parameters<S>>(name), handle, mustBeGood === undefined ? {} : { validator: mustBeGood });
}

export function onSignal<S extends Signature>(name: SignalName<S>, handle: (...args: Parameters<S>) => void | Promise<void>): void {
  setHandler(defineSignal<Parameters<S>>(name), handle);
}

/** Signals another workflow. Throws if no such workflow runs. */
export function signalTo<S extends Signature>(workflowId: string, name: SignalName<S>, ...args: Parameters<S>): Promise<void> {
  return getExternalWorkflowHandle(workflowId).signal(defineSignal<Parameters<S>>(name), ...args);
}
