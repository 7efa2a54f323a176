/** Work that gives way to the guests: a backup or a proof may take longer, what the guests do may not. */
import type { HandWork } from '../work.ts';

/** The same work, whose tools get the processors and the disks that nobody else wants. */
export function inBackground<T extends Pick<HandWork, 'host'>>(work: T): T {
  const { host } = work;
  return {
    ...work,
    host: {
      files: host.files,
      run: (tool, args, options) => host.run(tool, args, { ...options, isInBackground: true }),
      pipeline: (stages, options) => host.pipeline(stages, { ...options, isInBackground: true }),
    },
  };
}
