/**
 * A cage for the reader of a tenant's file system. It has a root directory of its own in which there are the libraries of the machine, a Node, the program and
 * the image, all read only; no network, no other process, no user, no /proc and no /dev; limits on time and memory; and it can write to nothing but its
 * output. When it ends in whatever way, or we do, the kernel takes all of it away, its mounts, too.
 */
import type { Host } from '../../../../system/host.ts';
import { checkedPath } from '../../tools/arguments.ts';

/** nobody, and nogroup. */
export const NOBODY = 65_534;

/** A file system of some terabytes is gone through in this time. */
const HOURS = 6;
const MOST_MEMORY_BYTES = 2 ** 30;
const MOST_HEAP_MIB = 384;

/**
 * Constant: what differs comes as arguments. Of the whole machine only its libraries are shown, which hold no secret. prlimit(1) comes before chroot(1), because
 * the cage has neither; that drops the user, and with it all capabilities, which nothing can bring back.
 */
const BUILD = `set -eu
root=$1 image=$2 program=$3 node=$4
shift 4
mount -t tmpfs -o size=64k,nr_inodes=64,mode=0755,nosuid,nodev,noexec none "$root"
mkdir "$root/usr" "$root/usr/lib" "$root/usr/lib64"
ln -s usr/lib "$root/lib"
ln -s usr/lib64 "$root/lib64"
for each in usr/lib usr/lib64; do mount --bind -o ro,nosuid,nodev "/$each" "$root/$each"; done
for each in node program image; do : > "$root/$each"; done
mount --bind -o ro,nosuid,nodev "$node" "$root/node"
mount --bind -o ro,nosuid,nodev,noexec "$program" "$root/program"
mount --bind -o ro,nosuid,nodev,noexec "$image" "$root/image"
mount -o remount,ro,bind "$root"
cd "$root"
exec prlimit --core=0 --fsize=0 --nofile=64 --data=${MOST_MEMORY_BYTES} --cpu=${HOURS * 3_600} \\
  setpriv --no-new-privs chroot --userspec=${NOBODY}:${NOBODY} --groups= "$root" /node --max-old-space-size=${MOST_HEAP_MIB} /program "$@"
`;

const OUTSIDE = ['--pdeathsig', 'KILL', 'unshare', '--mount', '--propagation', 'private', '--pid', '--fork', '--kill-child'] as const;

/** What is put into the cage. Paths on this machine. */
export interface Caged {
  /** An empty directory, which is its root. */
  readonly root: string;
  /** The image, which nobody (65534) can read. */
  readonly image: string;
  /** A CommonJS program. It finds the image at `/image`. */
  readonly program: string;
  readonly args: readonly string[];
}

export interface Limits {
  readonly signal: AbortSignal;
  readonly sink: (chunk: Uint8Array) => Promise<void>;
}

/** Runs a program of Node in the cage. Needs root. @throws ToolError */
export async function runCaged(host: Host, { root, image, program, args }: Caged, { signal, sink }: Limits): Promise<void> {
  const paths = [checkedPath('root', root), checkedPath('image', image), checkedPath('program', program), process.execPath];
  await host.pipeline(
    [{ tool: 'setpriv', args: [...OUTSIDE, '--net', '--ipc', '--uts', '--', 'sh', '-c', BUILD, 'sh', ...paths, ...args] }],
    { timeoutMs: HOURS * 3_600_000, signal, sink },
  );
}
