/**
 * Very many guests on a cluster: dom0s of a hundred guests each. They are not ordered: their workflows begin as those of guests that run. Their dom0s'
 * steps are scripted and take no time; Temporal, the database, the workflows and the control worker's activities are the real ones.
 */
import { WORKFLOWS } from '../../contract/names.ts';
import { pageOfGuests } from '../../client/guests/list.ts';
import { createRandom } from '../storm/random.ts';
import { theAudit } from '../scale/the-audit.ts';
import { theNight } from '../scale/the-night.ts';
import type { Stage } from './story.ts';

const OF_A_DOM0 = 100;
const SLOTS = 20;
const PAGE = 100;
const SEED = 20_260_101;
/** Issue's limit of the first answer of a list. */
const FIRST_PAGE_MS = 1_000;

/** Pages of a list, and milliseconds of the first. */
async function list({ session, flow }: Stage): Promise<{ guests: number; firstPageMs: number; seconds: number }> {
  const began = performance.now();
  await pageOfGuests(session, { limit: PAGE });
  const firstPageMs = Math.round(performance.now() - began);
  const { length } = await flow.list();
  return { guests: length, firstPageMs, seconds: Math.round(performance.now() - began) / 1_000 };
}

/**
 * A night of so many guests, an order in its middle, the list of them, and an audit of one dom0.
 *
 * @throws Error when a guest was missed or asked twice, or the list's first answer was late
 */
export async function manyGuests(stage: Stage, guests: number, say: (text: string) => void): Promise<void> {
  const { session, connection, cluster } = stage;
  const environment = { client: session.client, nativeConnection: connection };
  const random = createRandom(SEED);
  const hosts = random.shuffle(Array.from({ length: Math.ceil(guests / OF_A_DOM0) }, (_, index) => `many${String(index + 1)}`));
  const night = await theNight(environment, { guests, slots: SLOTS, hosts });
  say(`night: ${JSON.stringify(night)}`);
  const listed = await list(stage);
  say(`list: ${JSON.stringify(listed)}`);
  const open = await session.client.workflow.count(`ExecutionStatus = 'Running'`);
  const ofGuests = await session.client.workflow.count(`WorkflowType = '${WORKFLOWS.guest}' AND ExecutionStatus = 'Running'`);
  say(`open workflows: ${String(open.count)}, of guests: ${String(ofGuests.count)}`);
  say(`memory in MiB: ${JSON.stringify({ ...(await cluster.memory()), 'this process': Math.round(process.memoryUsage.rss() / 2 ** 20) })}`);
  const audit = await theAudit(environment, { guests: Math.min(guests, OF_A_DOM0) });
  say(`audit of one dom0: ${JSON.stringify(audit)}`);
  judge({ guests, night, listed });
}

interface Found {
  readonly guests: number;
  readonly night: Awaited<ReturnType<typeof theNight>>;
  readonly listed: { guests: number; firstPageMs: number };
}

function judge({ guests, night, listed }: Found): void {
  const wrong = [
    night.states['done'] === guests && Object.keys(night.states).length === 1 ? '' : 'some nights are not done',
    night.nightsOfEach['1'] === guests && Object.keys(night.nightsOfEach).length === 1 ? '' : 'some guests had no night, or two',
    night.mostAtOnce === 1 ? '' : `a dom0 was asked for ${String(night.mostAtOnce)} backups at a time`,
    listed.firstPageMs < FIRST_PAGE_MS ? '' : `the first page took ${String(listed.firstPageMs)} ms`,
    listed.guests >= guests ? '' : `the list has ${String(listed.guests)} of ${String(guests)} guests`,
  ].filter((text) => text !== '');
  if (wrong.length > 0) throw new Error(wrong.join('; '));
}
