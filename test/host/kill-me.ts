/** Makes an image as the dom0 worker does, in a process of its own that a test can kill. Argument: what to make, as JSON. */
import { createHost } from '../../system/host.ts';
import type { RunOptions } from '../../system/run.ts';
import { xenCreateImage, type ImageSettings } from '../../activities/dom0/images/xen-tools.ts';

const { settings, before } = JSON.parse(process.argv[2] ?? '') as { settings: ImageSettings; before: readonly [string, ...string[]] };
const host = createHost();
const run = (tool: string, args: readonly string[], options?: RunOptions): ReturnType<typeof host.run> =>
  tool === 'setpriv' ? host.run(before[0], [...before.slice(1), tool, ...args], options) : host.run(tool, args, options);
process.stdout.write(`${String(process.pid)}\n`);
await xenCreateImage({ ...host, run }, settings);
