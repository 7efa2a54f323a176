/** What all cases together started: nothing that the fake does not know, and nothing that mounts what a tenant may have written. */
import type { FakeCall, FakeDom0 } from '../../fake/index.ts';
import type { Case } from './case.ts';

const lines = new Map<string, FakeCall>();
const unknown = new Set<string>();

/** Keeps what was started on a dom0. */
export function collect(dom0: FakeDom0): void {
  for (const call of dom0.calls)
    if (call.kind === 'process') lines.set([call.tool, ...call.args].join(' ').replaceAll(/[a-z]+\d+/g, 'N'), call);
  for (const line of dom0.unknown) unknown.add(line);
}

/** In namespaces of their own, and on images that no tenant has run: the only ones that may mount. */
const CONTAINED = /^setpriv --pdeathsig KILL unshare --mount --pid --fork --kill-child --mount-proc -- (xen-create-image|mmdebstrap) /;
/** A file on a loop device invites the kernel to look for partitions in it. */
const ATTACHES = /^losetup (?!--json --list|--find$|--detach )/;
const MOUNTS = /(^|[ /=])(mount|fuse\S*|guestmount|kpartx|partprobe)([ ,=]|$)|--mount/;

/** Cases for the end, when all others have run. */
export function commandCases(): Case[] {
  const check = (complaints: () => string[]) => (): ReturnType<Case['run']> =>
    Promise.resolve({ end: 'as ordered' as const, complaints: lines.size === 0 ? ['nothing was started'] : complaints() });
  return [
    { name: 'commands/all are known to the fake', run: check(() => [...unknown]) },
    {
      name: 'commands/nothing mounts what a tenant has written',
      run: check(() =>
        [...lines.values()]
          .map(({ tool, args }) => [tool, ...args].join(' '))
          .filter((line) => !CONTAINED.test(line) && (MOUNTS.test(line) || ATTACHES.test(line))),
      ),
    },
  ];
}
