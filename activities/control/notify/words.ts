/** What operators are told, in words. */
import { PROBLEM_KINDS, type Notice, type ProblemGroup } from '../../../contract/watch.ts';

/** Names in a mail; the others are counted. */
const NAMED = 20;

/** A group as text: what it is, whom it is about, and what to type. */
export interface Told {
  readonly kind: string;
  readonly dom0?: string;
  readonly what: string;
  readonly subjects: readonly string[];
  readonly more: number;
  /** The commands. */
  readonly do: string;
  readonly note?: string;
}

export function toldOf({ kind, dom0, subjects, more = 0, note }: ProblemGroup): Told {
  const { what, mend } = PROBLEM_KINDS[kind];
  const named = (text: string): string => text.replaceAll('HOST', dom0 ?? '');
  const [only] = subjects;
  const commands = named(mend);
  return {
    kind,
    ...(dom0 === undefined ? {} : { dom0 }),
    what: named(what),
    subjects: subjects.slice(0, NAMED),
    more: more + Math.max(0, subjects.length - NAMED),
    do: subjects.length === 1 && only !== undefined ? commands.replaceAll('NAME', only) : commands,
    ...(note === undefined ? {} : { note }),
  };
}

/** Subject and text of a mail. */
export function mailOf({ begun, over }: Notice): { readonly subject: string; readonly text: string } {
  const [first = ''] = [...begun.map((group) => toldOf(group).what), ...over.map((group) => `over: ${toldOf(group).what}`)];
  const others = begun.length + over.length - 1;
  return {
    subject: `guestflow: ${first}${others > 0 ? `, and ${String(others)} more` : ''}`.replace(/[\r\n]/g, ' ').slice(0, 150),
    text: [
      ...(begun.length > 0 ? ['What a person must do:', '', ...begun.flatMap((group) => lines(group, true))] : []),
      ...(over.length > 0 ? ['What is over:', '', ...over.flatMap((group) => lines(group, false))] : []),
    ].join('\n'),
  };
}

function lines(group: ProblemGroup, withCommands: boolean): string[] {
  const { what, subjects, more, note, do: commands, dom0 } = toldOf(group);
  const names = subjects.filter((subject) => subject !== dom0).join(', ');
  return [
    `* ${what}${dom0 === undefined || what.includes(dom0) ? '' : ` (dom0 ${dom0})`}`,
    ...(names === '' ? [] : [`  ${names}${more > 0 ? `, and ${String(more)} more` : ''}`]),
    ...(note === undefined ? [] : [`  ${note}`]),
    ...(withCommands ? [`  do: ${commands}`] : []),
    '',
  ];
}
