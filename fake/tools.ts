/** All tools of the fake dom0, and what stands around one on its command line. */
import { BORG_TOOLS, withoutFlock } from './borg.ts';
import { COPY_TOOLS } from './copy.ts';
import { DISK_FILE_TOOLS } from './disk-files.ts';
import { EXT4_TOOLS } from './ext4.ts';
import { LOOP_TOOLS } from './loop.ts';
import { LVM_TOOLS } from './lvm.ts';
import { NET_TOOLS } from './net.ts';
import type { ToolTable } from './tool.ts';
import { XEN_TOOLS } from './xen-tools.ts';
import { XL_TOOLS } from './xl.ts';

export const TOOLS: ToolTable = {
  ...LVM_TOOLS,
  ...XL_TOOLS,
  ...EXT4_TOOLS,
  ...COPY_TOOLS,
  ...DISK_FILE_TOOLS,
  ...LOOP_TOOLS,
  ...NET_TOOLS,
  ...XEN_TOOLS,
  ...BORG_TOOLS,
};

const CONTAINED = ['--pdeathsig', 'KILL', 'unshare', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc', '--'];
const AS_NOBODY = ['--reuid=65534', '--regid=65534', '--clear-groups', '--no-new-privs', '--bounding-set=-all', '--'];

/** The tool that does the work; undefined for wrappers that guestflow does not use. */
export function unwrap(tool: string, args: readonly string[]): { readonly tool: string; readonly args: readonly string[] } | undefined {
  if (tool === 'flock') return withoutFlock(args);
  if (tool !== 'setpriv') return { tool, args };
  const wrapper = [CONTAINED, AS_NOBODY].find((words) => words.every((word, index) => args[index] === word));
  const [inner, ...rest] = wrapper === undefined ? [] : args.slice(wrapper.length);
  return inner === undefined ? undefined : { tool: inner, args: rest };
}
