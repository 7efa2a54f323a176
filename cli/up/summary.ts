/** What `guestflow up` ends with: all that a person wants to know of the guest. */
import type { Guestflow } from '../../client/index.ts';
import { backupPlace } from '../../contract/backup-place.ts';
import { guestWorkflowId, nightlyScheduleId } from '../../contract/names.ts';
import { formatSize } from '../../contract/sizes.ts';
import type { GuestInventory } from '../../contract/dom0.ts';
import type { GuestStatus } from '../../contract/guest.ts';
import type { OperationProgress } from '../../contract/progress.ts';
import { printLine, type Io } from '../io.ts';
import type { UpDom0 } from './dom0.ts';
import type { LoginKey } from './key.ts';

/** A step of getting ready, before the guest's own steps. */
export interface Stage {
  readonly name: string;
  readonly seconds: number;
}

export interface Summary {
  readonly simulated: boolean;
  readonly dom0: { readonly host: string; readonly kind: UpDom0['kind'] };
  readonly guest: GuestStatus;
  /** It was there before this run. */
  readonly found: boolean;
  readonly stages: readonly Stage[];
  /** From an order to the first answer from the guest's own volumes, by each recipe. */
  readonly recipes: readonly { readonly guest: string; readonly recipe: string; readonly secondsToAnswer?: number }[];
  readonly steps: OperationProgress['steps'];
  readonly inventory: GuestInventory;
  readonly login: string;
  readonly xlList: string;
  readonly lvs: string;
  readonly schedule: { readonly id: string; readonly next: string };
  readonly urls: { readonly guest: string; readonly ui: string };
  /** From the start until guest1 was there, with its first backup. */
  readonly seconds: number;
}

/** What the summary shows of the dom0, as it says it itself. */
export const SHOWN_OF_DOM0 = { xlList: ['xl', 'list'], lvs: ['lvs'] } as const;

/** A word for a shell, quoted only where it must be. */
function quoted(word: string): string {
  return /^[A-Za-z0-9_./:=@%-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/** A command that logs in to the guest when it is pasted. */
export function loginCommand(dom0: UpDom0, key: LoginKey, knownHosts: string, ip: string): string {
  return [
    'ssh',
    '-i',
    key.file,
    '-o',
    `UserKnownHostsFile=${knownHosts}`,
    '-o',
    'StrictHostKeyChecking=accept-new',
    ...dom0.sshOptions,
    `root@${ip}`,
  ]
    .map(quoted)
    .join(' ');
}

/** Asks the dom0 and Temporal how things are now. */
export async function summarise(
  flow: Guestflow,
  dom0: UpDom0,
  key: LoginKey,
  knownHosts: string,
  run: Pick<Summary, 'found' | 'stages' | 'recipes' | 'seconds'> & { readonly name: string; readonly uiUrl: string },
): Promise<Summary> {
  const { status, operation } = await flow.progress(run.name);
  const ref = { name: status.name, order: status.order, dom0: status.dom0 };
  const [inventory, xlList, lvs, next] = await Promise.all([
    flow.dom0Task<GuestInventory>(dom0.host, 'inspect', { guest: ref }),
    dom0.exec(SHOWN_OF_DOM0.xlList),
    dom0.exec(SHOWN_OF_DOM0.lvs),
    flow.nextBackup(run.name),
  ]);
  const ip = status.spec?.network.ip ?? '';
  return {
    simulated: dom0.kind === 'simulated',
    dom0: { host: dom0.host, kind: dom0.kind },
    guest: status,
    found: run.found,
    stages: run.stages,
    recipes: run.recipes,
    seconds: run.seconds,
    steps: operation?.steps ?? [],
    inventory,
    login: dom0.kind === 'simulated' ? 'there is nothing to log in to: the guest is simulated' : loginCommand(dom0, key, knownHosts, ip),
    xlList,
    lvs,
    schedule: { id: nightlyScheduleId(run.name), next: next ?? 'paused' },
    urls: { guest: `${run.uiUrl}/namespaces/default/workflows/${encodeURIComponent(guestWorkflowId(run.name))}`, ui: run.uiUrl },
  };
}

/** The summary for a person. */
export function printSummary(io: Io, summary: Summary): void {
  const mark = summary.simulated ? 'simulated  ' : '';
  const say = (text = ''): void => {
    for (const line of text.trimEnd().split('\n')) printLine(io, `${mark}${line}`.trimEnd());
  };
  const { guest, inventory } = summary;
  const backup = inventory.backups.at(-1);
  say();
  say(
    `${guest.name} is ${guest.phase} at ${guest.spec?.network.ip ?? '?'} on dom0 ${guest.dom0}${summary.found ? ' (found as it was left)' : ''}, ${summary.seconds.toFixed(0)} s after the start`,
  );
  for (const warning of guest.warnings) say(`warning: ${warning}`);
  say();
  say(`log in     ${summary.login}`);
  say(`watch      ${summary.urls.guest}`);
  say(`backups    every night, next ${summary.schedule.next} (schedule ${summary.schedule.id})`);
  if (backup !== undefined) say(`           first one: ${backupPlace(backup)}, ${formatSize(backup.bytes)}, ${backup.state}`);
  for (const { guest: name, recipe, secondsToAnswer } of summary.recipes)
    if (secondsToAnswer !== undefined)
      say(`${name.padEnd(11)}recipe ${recipe}: answered from its volumes ${secondsToAnswer.toFixed(0)} s after its order`);
  for (const [title, text] of [
    ['xl list', summary.xlList],
    ['lvs', summary.lvs],
    [`/etc/xen/${guest.name}.cfg`, inventory.cfg ?? ''],
  ] as const) {
    say();
    say(title);
    say(
      text
        .trimEnd()
        .split('\n')
        .map((line) => `  ${line}`)
        .join('\n'),
    );
  }
}
