/** Reads and edits xl cfg files: bytes in, bytes out. Knows nothing of the rest of the project. */
export { checkChange } from './change.ts';
export type { CfgChange, DiskChange, SetItem, SetValue, VifChange } from './change.ts';
export type { CfgDocument } from './document.ts';
export { parseDiskSpec } from './disk-spec.ts';
export type { DiskFormat, DiskSpec } from './disk-spec.ts';
export { applyChange } from './edit.ts';
export type { AppliedChange } from './edit.ts';
export { CfgError, ChangeError } from './errors.ts';
export { MAX_CFG_BYTES, parseCfg } from './parser.ts';
export type { Problem } from './problems.ts';
export { showCfg } from './show.ts';
export type { ShownCfg, ShownValue } from './show.ts';
export type { VifFault, VifSpec } from './vif-spec.ts';
export { unifiedDiff } from './diff.ts';
export { byteString, bytesOf, decode } from './text.ts';
