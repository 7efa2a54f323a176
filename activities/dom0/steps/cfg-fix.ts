/** cfg-fix: the guest's cfg as ordered, the operator's own lines kept, checked by the toolstack itself (rows 6 and 7 of the how-to). */
import { defined } from '../../../contract/defined.ts';
import type { CfgResult } from '../../../contract/step-results.ts';
import type { GuestRef, GuestSpec } from '../../../contract/guest.ts';
import { GuestflowError } from '../../../contract/errors.ts';
import type { StepEnv } from '../env.ts';
import { formerCfg, keepFormerCfg, sha256Of, type CfgChangeOf } from '../guests/former-cfg.ts';
import { newlySaid } from '../guests/newly-said.ts';
import type { CfgDraft, CfgWish } from '../guests/port.ts';
import { guestPaths } from '../guest-paths.ts';
import { cfgHeader, isOwner, mustOwn } from '../marks.ts';
import { removeParts } from '../staging.ts';

export interface FixCfgInput extends Omit<CfgWish, 'other'> {
  /** The spec before a change: the bytes of the cfg are kept, so that an undo can put them back. */
  readonly from?: GuestSpec;
  /** Set in an undo: the spec to which the guest was being changed. */
  readonly undoOf?: GuestSpec;
}

/**
 * Edits the cfg, has xl read the candidate without acting, and only then puts it in place, whole. With `from`, the former bytes are kept.
 *
 * @throws GuestflowError NotOurs when the cfg is not this order's; ToolFailed when xl does not read the candidate as it was meant
 */
export async function fixCfg(env: StepEnv, input: FixCfgInput): Promise<CfgResult> {
  const { files } = env.host;
  const { spec, from, undoOf } = input;
  const paths = guestPaths(env.settings, spec.name);
  const cfg = env.toolstack.cfgPath(spec.name);
  const there = await env.toolstack.readCfg(spec.name);
  if (there !== undefined) mustOwn(there.owner, spec, cfg);
  const existing = there?.bytes;
  for (const path of [paths.candidateCfg, paths.formerCfg]) await removeParts(files, path);
  await env.toolstack.clearHalfCfg(spec.name);
  if (undoOf !== undefined) return putBack(env, input, { from: spec, to: undoOf }, existing);

  const made = existing === undefined ? paths.madeCfg : cfg;
  const found = existing ?? (await files.read(made));
  // xen-create-image leaves a cfg beside the image; a guest that never had an image begins with a bare one.
  const isMadeOfImage = spec.origin === undefined && spec.os.recipe === 'how-to';
  const base = found ?? (isMadeOfImage ? undefined : env.kindOf(spec).bareCfg());
  if (base === undefined)
    throw new GuestflowError(
      'ToolFailed',
      `${cfg}: there is no cfg of ${spec.name}, and xen-create-image left none in ${paths.madeCfg}`,
      {},
      false,
    );
  const { bytes, changed } = candidateOf(env, input, base, existing === undefined);
  await files.writeAtomic(paths.candidateCfg, bytes);
  await mustBeReadAsMeant(env, input, found === undefined ? undefined : made);
  if (existing?.equals(bytes) !== true) {
    if (from !== undefined && existing !== undefined)
      await keepFormerCfg(env, { from, to: spec }, { bytes: existing, writtenSha256: sha256Of(bytes) });
    await env.toolstack.placeCfg(spec.name, bytes);
  }
  await files.remove(paths.candidateCfg);
  return { path: cfg, changed, sha256: sha256Of(bytes) };
}

/**
 * The undo of a change: puts the former file back, byte for byte, without xl's check. If somebody has edited the file since, only the settings of the
 * change are taken back. If the file can no longer be edited, it is kept as the candidate, beside the former file.
 */
async function putBack(env: StepEnv, input: FixCfgInput, change: CfgChangeOf, existing: Buffer | undefined): Promise<CfgResult> {
  const { host, settings, log, toolstack } = env;
  const { name } = input.spec;
  const paths = guestPaths(settings, name);
  const path = toolstack.cfgPath(name);
  // The candidate that a killed change had not put in place yet.
  await host.files.remove(paths.candidateCfg);
  const former = await formerCfg(env, change);
  if (former === undefined) return { path, changed: [], sha256: existing === undefined ? '' : sha256Of(existing) };
  let result: CfgDraft = { bytes: former.bytes, changed: [] };
  if (existing !== undefined && !existing.equals(former.bytes) && sha256Of(existing) !== former.writtenSha256) {
    try {
      result = candidateOf(env, input, existing, false);
    } catch (error) {
      await host.files.writeAtomic(paths.candidateCfg, existing);
      log.warn(
        { cfg: path, kept: paths.candidateCfg },
        `edited meanwhile and put back: ${error instanceof Error ? error.message : String(error)}`,
      );
    }
  }
  if (existing?.equals(result.bytes) !== true) await toolstack.placeCfg(name, result.bytes);
  await host.files.remove(paths.formerCfg);
  return { path, changed: result.changed, sha256: sha256Of(result.bytes) };
}

/** The cfg that a change makes: our settings as ordered, all else as it was. */
function candidateOf(env: StepEnv, input: FixCfgInput, base: Buffer, isNew: boolean): CfgDraft {
  const { spec, from, undoOf } = input;
  const { name, order } = spec;
  const { bytes, changed } = env.kindOf(spec).draftCfg(base, { ...input, ...defined({ other: from ?? undoOf }) });
  const header = isNew ? [Buffer.from(`${cfgHeader({ guest: name, order })}\n`)] : [];
  return { bytes: Buffer.concat([...header, bytes]), changed };
}

/**
 * Checks that xl reads the candidate as ordered, and prints nothing about it that it does not print about the file from which it was made. (xl prints
 * some legal values, too: `got a tsc mode string: "native"`.)
 */
async function mustBeReadAsMeant(env: StepEnv, input: FixCfgInput, madeFrom: string | undefined): Promise<void> {
  const { name } = input.spec;
  const { candidateCfg } = guestPaths(env.settings, name);
  const { config, warnings } = await env.toolstack.tryCfg(candidateCfg);
  const before = warnings.length === 0 || madeFrom === undefined ? [] : await env.toolstack.saidOfCfg(madeFrom);
  const complaints = newlySaid({ lines: warnings, path: candidateCfg }, { lines: before, path: madeFrom ?? candidateCfg });
  const disagreements = [...complaints, ...env.kindOf(input.spec).misread(config, input)];
  if (disagreements.length === 0) return;
  throw new GuestflowError(
    'ToolFailed',
    `xl does not read the cfg of ${name} as it was meant: ${disagreements.join('; ')}. The file was not put in place; the candidate is ${candidateCfg}.`,
    { field: 'cfg' },
    false,
  );
}

/** Undo of cfg-fix and autostart: removes the cfg and the link to it. */
export async function removeCfg({ toolstack }: StepEnv, ref: GuestRef): Promise<void> {
  await toolstack.clearHalfCfg(ref.name);
  if (!isOwner((await toolstack.readCfg(ref.name))?.owner, ref)) return;
  // Only its cfg marks a domain as ours: without the cfg, guestflow could not end the domain any more.
  await toolstack.mustBeOff(ref.name);
  await toolstack.wipeSaved(ref);
  await toolstack.removeCfg(ref.name);
}
