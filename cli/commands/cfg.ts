/** `guestflow cfg show FILE` and `guestflow cfg fix FILE`: reads and edits an xl cfg by itself, without Temporal or a dom0. */
import {
  applyChange,
  byteString,
  bytesOf,
  CfgError,
  ChangeError,
  checkChange,
  MAX_CFG_BYTES,
  parseCfg,
  showCfg,
  unifiedDiff,
} from '../../xlcfg/index.ts';
import type { AppliedChange, CfgChange, SetValue } from '../../xlcfg/index.ts';
import { GuestflowError } from '../../contract/errors.ts';
import { parseDocument } from '../../order/document.ts';
import { FileProblem, readBounded, readStandardInput, replaceFile, writeOut } from './cfg-files.ts';

export interface ShowOptions {
  /** Errors as JSON on stderr; what is shown is JSON always. */
  json?: boolean;
}

export interface FixOptions {
  /** A file with the change as JSON or YAML, or `-` for standard input. */
  change?: string;
  /** `KEY=VALUE`, each; a plain decimal is a number, all else a string. */
  set?: string[];
  /** Where the result goes: replaced in one step, with the mode of the file that was there, else 0600. Default: stdout. */
  out?: string;
  /** A unified diff on stdout instead of the result. */
  diff?: boolean;
  /** One JSON document on stdout (what was changed, notes, the diff, and the cfg unless there is `out`), errors as JSON on stderr. */
  json?: boolean;
}

/** Prints the cfg as xl understands it, one JSON document. Returns the exit code: 0, or 2 for what cannot be read. */
export async function showCommand(file: string, options: ShowOptions): Promise<number> {
  return reporting(file, options.json === true, async () => {
    const document = parseCfg(await readBounded(file, MAX_CFG_BYTES, 'a cfg'));
    await writeOut(`${JSON.stringify(showCfg(document), null, 2)}\n`);
  });
}

/** Prints, or writes to `out`, the cfg with the change made. Returns the exit code: 0, 2 when refused, 1 when `out` cannot be written. */
export async function fixCommand(file: string, options: FixOptions): Promise<number> {
  return reporting(file, options.json === true, async () => {
    const bytes = await readBounded(file, MAX_CFG_BYTES, 'a cfg');
    const applied = applyChange(parseCfg(bytes), await changeFrom(options));
    const diff =
      options.diff === true || options.json === true
        ? unifiedDiff(byteString(bytes), byteString(applied.bytes), file, options.out ?? file)
        : '';
    if (options.out !== undefined) await replaceFile(options.out, applied.bytes);
    await printResult(applied, diff, options);
  });
}

async function printResult({ bytes, changed, notes }: AppliedChange, diff: string, { json, diff: asDiff, out }: FixOptions): Promise<void> {
  if (json === true) {
    const cfg = out === undefined ? { cfg: Buffer.from(bytes).toString() } : { out };
    await writeOut(`${JSON.stringify({ changed, notes, diff: Buffer.from(bytesOf(diff)).toString(), ...cfg }, null, 2)}\n`);
    return;
  }
  if (asDiff === true) await writeOut(bytesOf(diff));
  else if (out === undefined) await writeOut(bytes);
  for (const note of notes) process.stderr.write(`note: ${note}\n`);
}

async function changeFrom({ change: source, set: assignments = [] }: FixOptions): Promise<CfgChange> {
  const change =
    source === undefined
      ? {}
      : checkChange(
          parseDocument(
            source === '-' ? await readStandardInput(MAX_CFG_BYTES) : await readBounded(source, MAX_CFG_BYTES, 'a change'),
            'the change',
          ),
        );
  const set = new Map<string, SetValue>(Object.entries(change.set ?? {}));
  for (const assignment of assignments) {
    const [, key, value] = /^([^=]*)=(.*)$/s.exec(assignment) ?? [];
    if (key === undefined || value === undefined) throw new ChangeError('--set', `"${assignment}" is not KEY=VALUE`);
    if (set.has(key)) throw new ChangeError('--set', `${key} is set twice: which one is meant?`);
    set.set(key, /^(?:0|[1-9][0-9]*)$/.test(value) ? Number(value) : value);
  }
  return checkChange({ ...change, set: Object.fromEntries(set) });
}

interface Failure {
  type: 'InvalidInput' | 'ToolFailed';
  message: string;
  field?: string;
  line?: number;
  column?: number;
}

async function reporting(file: string, json: boolean, work: () => Promise<void>): Promise<number> {
  try {
    await work();
    return 0;
  } catch (error) {
    const failure = failureOf(file, error);
    process.stderr.write(json ? `${JSON.stringify({ error: failure })}\n` : `guestflow: ${failure.message}\n`);
    return failure.type === 'InvalidInput' ? 2 : 1;
  }
}

function failureOf(file: string, error: unknown): Failure {
  if (error instanceof CfgError) {
    return {
      type: 'InvalidInput',
      message: `${file}: line ${error.line}, column ${error.column}: ${error.reason}`,
      line: error.line,
      column: error.column,
    };
  }
  if (error instanceof ChangeError) {
    return {
      type: 'InvalidInput',
      message: `${file}: cannot be changed: ${error.message}`,
      ...(error.field === '' ? {} : { field: error.field }),
    };
  }
  if (error instanceof GuestflowError) return { type: 'InvalidInput', message: `${file}: cannot be changed: ${error.message}` };
  if (error instanceof FileProblem) return { type: error.isInput ? 'InvalidInput' : 'ToolFailed', message: error.message };
  return { type: 'ToolFailed', message: `${file}: ${error instanceof Error ? error.message : String(error)}` };
}
