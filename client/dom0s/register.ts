/** A dom0's worker says what it found there. One machine at a time is a dom0. */
import { WorkflowUpdateFailedError, type Client } from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';
import { GuestflowError } from '../../contract/errors.ts';
import { DOM0_UPDATES } from '../../contract/names.ts';
import type { Dom0Facts } from '../../contract/dom0.ts';
import { joinNetwork } from '../networks.ts';
import { updateDom0 } from './ledger.ts';
import { POLLER_IS_GONE_MS, pollersOf } from './workers.ts';

/**
 * Says what a dom0's worker found there. Starts the dom0's ledger, and the one of its network, if there is none.
 *
 * @param client of the worker itself
 * @throws GuestflowError `Busy` if another machine is registered as this dom0 and its worker is alive. If that worker has not polled for a minute and a
 * half, the machine is replaced. `Busy`, too, if an operator has said that the dom0 is lost.
 */
export async function registerDom0(client: Client, facts: Dom0Facts): Promise<void> {
  try {
    await updateDom0(client, facts.host, DOM0_UPDATES.register, facts);
  } catch (error) {
    const lost = refusalAsLost(error);
    if (lost !== undefined) throw lost;
    const registered = otherMachine(error);
    if (registered === undefined) throw error;
    if (await isServedBy(client, facts.host, registered)) throw whyNotThisMachine(facts, registered);
    await updateDom0(client, facts.host, DOM0_UPDATES.register, { ...facts, replaces: registered });
  }
  await joinNetwork(client, facts);
}

/** Identity of a dom0's worker, as Temporal shows it. */
export function workerIdentity(host: string, machine: string): string {
  return `${identityPrefix(host, machine)}${process.pid}`;
}

function identityPrefix(host: string, machine: string): string {
  return `dom0/${host}/${machine}/`;
}

/** The dom0 is lost, by an operator's word: in words for who started its worker. */
function refusalAsLost(error: unknown): GuestflowError | undefined {
  const cause = error instanceof WorkflowUpdateFailedError ? error.cause : undefined;
  if (!(cause instanceof ApplicationFailure) || (cause.details?.[0] as { lost?: string } | undefined)?.lost === undefined) return undefined;
  return new GuestflowError('Busy', cause.message, {
    field: 'host',
    mend: 'its guests may run elsewhere by now, at the same addresses: switch off here what does (xl list), before anybody says that this dom0 is found',
  });
}

/** The machine that is registered already, because of which a registration was refused. */
function otherMachine(error: unknown): string | undefined {
  const cause = error instanceof WorkflowUpdateFailedError ? error.cause : undefined;
  if (!(cause instanceof ApplicationFailure) || cause.type !== 'Busy') return undefined;
  return (cause.details?.[0] as { value?: string } | undefined)?.value;
}

async function isServedBy(client: Client, host: string, machine: string): Promise<boolean> {
  return (await pollersOf(client, host)).some((identity) => identity.startsWith(identityPrefix(host, machine)));
}

function whyNotThisMachine({ host, machine }: Dom0Facts, registered: string): GuestflowError {
  return new GuestflowError(
    'Busy',
    `dom0 ${host} is served by another machine (${registered}; this one is ${String(machine)}): two machines cannot be one dom0`,
    {
      field: 'host',
      value: host,
      mend: `give this machine a name of its own (host in /etc/guestflow/dom0.yaml). If it is to take the other one's place, stop the worker there; after ${POLLER_IS_GONE_MS / 1000} s this one may start`,
    },
  );
}
