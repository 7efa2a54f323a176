import { checkChange } from './change.ts';
import type { CfgChange } from './change.ts';
import { settingsOf, stringOf } from './document.ts';
import type { CfgDocument } from './document.ts';
import { editDisks } from './edit-disk.ts';
import { editSet } from './edit-set.ts';
import type { Edited } from './edit-set.ts';
import { editVifs } from './edit-vif.ts';
import { editWords } from './edit-words.ts';
import { CfgError, ChangeError } from './errors.ts';
import { kindOf } from './known-keys.ts';
import { parseText } from './parser.ts';
import { problemsOf } from './problems.ts';
import type { Problem } from './problems.ts';
import { bytesOf } from './text.ts';

export interface AppliedChange {
  /** The whole file. If the change asks for what is there already, it has the same bytes as before. */
  bytes: Uint8Array;
  /** What was changed: `memory`, `disk xvda2`, `vif 0 mac`, `line ends`. Names only, as a cfg can hold passwords. */
  changed: string[];
  /** What else the operator should know of the result. */
  notes: string[];
}

/**
 * Applies a change: set, then extraWords, disk and vif. What it does not touch stays byte for byte. Applied again, it changes nothing.
 * Where lines end in CRLF, which xl refuses, all of them get LF.
 * @throws ChangeError where the change cannot be done, or xl would refuse, drop or misread what it brings
 * @throws CfgError where the result still has what xl refuses
 */
export function applyChange(document: CfgDocument, change: CfgChange): AppliedChange {
  const { set = {}, extraWords = [], disk = [], vif = [] } = checkChange(change);
  const start = withoutCarriageReturns(document);
  const changed: string[] = start === document ? [] : ['line ends'];
  const notes: string[] = start === document ? [] : ['lines ended in CRLF, which xl refuses: all end in LF now'];
  const steps: ((current: CfgDocument) => Edited)[] = [
    (current) => editSet(current, set),
    (current) => editWords(current, extraWords),
    (current) => editDisks(current, disk),
    (current) => editVifs(current, vif),
  ];
  let result = start;
  for (const step of steps) {
    const edited = step(result);
    result = edited.document;
    changed.push(...edited.changed);
    notes.push(...edited.notes);
  }
  notes.push(...judge(start, result, set));
  return { bytes: bytesOf(result.text), changed: [...new Set(changed)], notes: [...new Set(notes)] };
}

function withoutCarriageReturns(document: CfgDocument): CfgDocument {
  return document.carriageReturn ? parseText(document.text.replaceAll('\r\n', '\n')) : document;
}

/** Keys that can become wrong when another key is changed. */
const LIMITED_BY: Readonly<Record<string, string>> = { memory: 'maxmem', vcpus: 'maxvcpus' };

/** Refuses a change that brings what xl refuses, drops or misreads. What was wrong before is reported, and refused if xl would refuse the file. */
function judge(before: CfgDocument, after: CfgDocument, set: Readonly<Record<string, unknown>>): string[] {
  const known = new Set(problemsOf(before).map(identity));
  const isCmdline = stringOf(settingsOf(after).get('cmdline')) !== undefined;
  const notes: string[] = [];
  for (const problem of problemsOf(after)) {
    const isOverlooked = isCmdline && (problem.key === 'root' || problem.key === 'extra');
    const isNew = !known.has(identity(problem));
    const isUnknownKey = problem.key !== '' && kindOf(problem.key) === undefined;
    if (isNew && problem.effect !== 'warning' && !isOverlooked && !isUnknownKey)
      throw new ChangeError(
        `set.${Object.hasOwn(set, problem.key) ? problem.key : (LIMITED_BY[problem.key] ?? problem.key)}`,
        problem.reason,
      );
    if (problem.effect === 'refused') throw new CfgError(problem, problem.reason);
    if (isNew && !isUnknownKey) notes.push(`line ${problem.line}: ${problem.reason}`);
  }
  return notes;
}

function identity({ key, effect, reason }: Problem): string {
  return `${key}\0${effect}\0${reason}`;
}
