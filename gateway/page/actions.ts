/** What a customer may have done to a guest: a choice of `contract/operations.ts`, which says when each can be done and what it needs. */
import type { AccessWish, ReinstallWish, RescueWish } from '../../client/guests/access.ts';
import type { GuestStatus } from '../../contract/guest.ts';
import { keptDays } from '../../contract/kept-days.ts';
import { operationRecord, type OperationKind } from '../../contract/operations.ts';
import { fill, type Language } from './texts/language.ts';
import type { Texts } from './texts/en.ts';

/** What a form asks for. */
export type FormName = 'password' | 'keys' | 'system' | 'rescue';

interface Action {
  /** It takes the server away for a while, or changes its disk: asked for twice. */
  readonly interrupts?: true;
  /** What it removes does not come back: asked for twice, too. */
  readonly isFinal?: true;
  /** It needs more than a button: a page of its own has the form. */
  readonly asks?: FormName;
  /** It is of one backup, and its button stands beside that. */
  readonly ofBackup?: true;
  /** It makes a disk beside the server's own, for which there must be room. */
  readonly makesDisk?: true;
}

/**
 * The actions, in the order of their buttons. To offer one more operation that takes nothing, add its line here, and its words under the same name in the
 * texts of each language.
 */
export const ACTIONS = {
  start: {},
  reboot: { interrupts: true },
  stop: { interrupts: true },
  setPassword: { asks: 'password' },
  setKeys: { asks: 'keys' },
  backup: {},
  restore: { interrupts: true, ofBackup: true, makesDisk: true },
  reinstall: { interrupts: true, asks: 'system', makesDisk: true },
  rescue: { interrupts: true, asks: 'rescue' },
  unrescue: { interrupts: true },
  undoRestore: { interrupts: true },
  keepRestored: { isFinal: true },
} as const satisfies Partial<Record<OperationKind, Action>> & Partial<Record<keyof Texts, Action>>;

export type ActionKind = keyof typeof ACTIONS;

const ACTION_KINDS = Object.keys(ACTIONS) as readonly ActionKind[];

export function actionOf(kind: ActionKind): Action {
  return ACTIONS[kind];
}

/** The part of a path that stands for an action: that of `/v1`. */
export function segmentOf(kind: ActionKind): string {
  return operationRecord(kind).api?.path ?? kind;
}

export function actionAt(segment: string | undefined): ActionKind | undefined {
  return ACTION_KINDS.find((kind) => segmentOf(kind) === segment);
}

/** Whether a guest would take it as it is now: not what would change nothing, nor what is refused while something else runs. */
export function isOffered(kind: ActionKind, { phase, operation, queued, kept, rescue }: GuestStatus): boolean {
  const { phases, leadsTo, waits } = operationRecord(kind);
  const { makesDisk } = actionOf(kind);
  if (!phases.includes(phase) || (leadsTo?.includes(phase) === true && makesDisk !== true)) return false;
  if (kind === 'unrescue' && rescue === undefined) return false;
  if (kind === 'undoRestore' && kept?.role !== 'former') return false;
  // There is room for one disk beside the server's own.
  if (kind === 'keepRestored' ? kept === undefined : makesDisk === true && kept !== undefined) return false;
  return waits === true || (operation === undefined && queued.length === 0);
}

/** The actions that have a button of their own, and can be done now. */
export function offered(status: GuestStatus): readonly ActionKind[] {
  return ACTION_KINDS.filter((kind) => actionOf(kind).ofBackup !== true && isOffered(kind, status));
}

/** What an action is called, and what is said before it is done. The disk of before a reinstall comes back as that of before a restore does. */
export function wordsOf(kind: ActionKind, { kept, spec }: GuestStatus, { texts, days }: Language): Texts[ActionKind] {
  const { explain, ...words } = kind === 'undoRestore' && kept?.system !== undefined ? texts.undoReinstall : texts[kind];
  return { ...words, explain: fill(explain, { undo: texts.undoReinstall.button, ...(spec && { days: days(keptDays(spec.life)) }) }) };
}

/** Whether a new password, or other keys, have the server restarted: it runs, and guestflow has no key in it. */
export function accessRestarts({ phase, spec }: GuestStatus): boolean {
  return phase === 'running' && spec?.access.managed !== true;
}

/** What is to be set; a password that was made here is shown once. */
export interface Wish {
  readonly access?: AccessWish;
  readonly reinstall?: ReinstallWish;
  readonly rescue?: RescueWish;
  readonly made?: string;
}

/** How a customer's change of access is done: who sends the form was told of the restart. */
export function howOf(status: GuestStatus): { readonly how?: 'offline' } {
  return accessRestarts(status) ? { how: 'offline' } : {};
}
