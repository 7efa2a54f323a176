/** The Schedule of a guest's nightly backup, as a client sees it. */
import { nightlyScheduleId } from '../contract/names.ts';
import type { Session } from './session.ts';

/** When the next nightly backup begins (ISO 8601), or undefined when its Schedule is paused. */
export async function nextBackup(session: Session, name: string): Promise<string | undefined> {
  const { state, info } = await session.call(`nightly backup of ${name}`, () =>
    session.client.schedule.getHandle(nightlyScheduleId(name)).describe(),
  );
  return state.paused ? undefined : info.nextActionTimes[0]?.toISOString();
}
