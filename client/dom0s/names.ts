/** The names of the dom0s, and calls to a dom0 that may not exist. */
import { GuestflowError } from '../../contract/errors.ts';
import { DOM0_NAME_PATTERN } from '../../contract/guest-name.ts';
import { dom0WorkflowId, WORKFLOWS } from '../../contract/names.ts';
import type { Session } from '../session.ts';
import { runningIds } from '../workflow-calls.ts';

/** Names of the dom0s that have registered. */
export async function listDom0s(session: Session): Promise<string[]> {
  const ids = await session.call('the list of dom0s', () => runningIds(session.client, WORKFLOWS.dom0));
  return ids.map((id) => id.slice(dom0WorkflowId('').length));
}

/** Makes a call to a dom0's workflow. If there is no such dom0, the error names those that exist. */
export async function whenKnown<T>(session: Session, host: string, work: () => Promise<T>, limitMs?: number): Promise<T> {
  mustBeName(host);
  try {
    return await session.call(`dom0 ${host}`, work, limitMs);
  } catch (error) {
    if (!(error instanceof GuestflowError) || error.type !== 'NotFound') throw error;
    const known = await listDom0s(session);
    throw new GuestflowError(
      'NotFound',
      `there is no dom0 ${host}: ${known.length === 0 ? 'none has registered' : `known are ${known.join(', ')}`}`,
      { field: 'dom0', value: host },
    );
  }
}

/** @throws GuestflowError InvalidInput */
export function mustBeName(host: string): void {
  if (!DOM0_NAME_PATTERN.test(host))
    throw new GuestflowError('InvalidInput', `dom0 "${host}" is no name of a dom0: a host name in lower case`, {
      field: 'dom0',
      value: host,
    });
}
