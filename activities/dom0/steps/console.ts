/** The console of a guest, connected to the gateway of this dom0's settings. */
import { consoleContext, type ConsoleWish } from '../../../contract/console.ts';
import { GuestflowError } from '../../../contract/errors.ts';
import type { GuestRef } from '../../../contract/guest.ts';
import type { Consoles } from '../consoles/consoles.ts';
import type { StepEnv } from '../env.ts';
import { openToken } from '../password-key.ts';
import { pauseGuest } from './boot.ts';

/**
 * Opens it, and returns when it is connected: it outlives the step. Nothing of it is tried again, since its token is good once.
 *
 * @throws GuestflowError HostNotReady when no gateway is set or the token cannot be opened; Busy when the guest does not run, or its console is in use; NotOurs
 */
export async function openConsole(env: StepEnv, consoles: Consoles, { ref, console: { id, token: box } }: ConsoleInput): Promise<void> {
  consoles.mustHaveGateway();
  const domain = await env.toolstack.findOwn(ref);
  if (domain?.state !== 'running' && domain?.state !== 'paused')
    throw new GuestflowError('Busy', `guest ${ref.name} does not run`, { field: 'phase' });
  const token = await openToken(env, box, consoleContext(id, ref.name));
  await consoles.attach({ id, guest: ref.name, token, command: await env.toolstack.consoleCommand(domain.id) });
}

/** Pauses a guest, and ends its console: a domain that stops ends its console itself, this one only stands still. */
export async function pauseWithConsole(env: StepEnv, consoles: Consoles, ref: GuestRef): Promise<void> {
  await pauseGuest(env, ref);
  await consoles.end(ref.name, 'off');
}

export interface ConsoleInput {
  readonly ref: GuestRef;
  readonly console: ConsoleWish;
}
