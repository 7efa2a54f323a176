/** Names, tags and sizes that LVM refuses, with its words and exit codes. */
import { failed, type ToolOutput } from './tool.ts';

const RESERVED_STARTS = ['pvmove', 'snapshot'];
const RESERVED_PARTS = [
  '_cdata',
  '_cmeta',
  '_corig',
  '_cpool',
  '_cvol',
  '_imeta',
  '_iorig',
  '_mimage',
  '_mlog',
  '_pmspare',
  '_rimage',
  '_rmeta',
  '_tdata',
  '_tmeta',
  '_vdata',
  '_vorigin',
  '_wcorig',
];

/** Why a volume cannot be called this; with lvm's words and exit code. */
export function refusedName(name: string, tool: string): ToolOutput | undefined {
  const help = `  Run \`${tool} --help' for more information.`;
  const start = RESERVED_STARTS.find((reserved) => name.startsWith(reserved));
  if (start !== undefined) return failed(3, `  Names starting "${start}" are reserved. Please choose a different LV name.`, help);
  const part = RESERVED_PARTS.find((reserved) => name.includes(reserved));
  if (part !== undefined) return failed(3, `  Names including "${part}" are reserved. Please choose a different LV name.`, help);
  if (!/^[a-zA-Z0-9_+.][a-zA-Z0-9_+.-]*$/.test(name) || name.length > 127)
    return failed(3, `  Logical volume name "${name}" is invalid.`, help);
  return undefined;
}

export function refusedTag(tags: readonly string[], option: string, tool: string): ToolOutput | undefined {
  const bad = tags.find((tag) => !/^[a-zA-Z0-9._+/=!:&#-]{1,1024}$/.test(tag) || tag.startsWith('-'));
  return bad === undefined
    ? undefined
    : failed(
        3,
        `  Invalid argument for ${option}: ${bad}`,
        `  Error during parsing of command line.`,
        `  Run \`${tool} --help' for more information.`,
      );
}

/** LVM takes whole sectors only (recorded from lvcreate 2.03.16). */
export function refusedSize(bytes: string | undefined): ToolOutput | undefined {
  const size = Number(bytes);
  if (size % 512 === 0) return undefined;
  const below = size - (size % 512);
  return failed(
    3,
    `  Size is not a multiple of 512. Try using ${String(below)} or ${String(below + 512)}.`,
    `  Invalid argument for --size: ${String(size)}b`,
    '  Error during parsing of command line.',
  );
}
