/** What an operator settles once for a dom0, in `/etc/guestflow/dom0.yaml`. */
import { z } from 'zod';
import { PASSPHRASE_FILE } from '../contract/backup-place.ts';
import { DEFAULT_POLICY, type Dom0Policy } from '../contract/capacity.ts';
import * as check from '../contract/field-checks.ts';
import { DOM0_NAME_PATTERN } from '../contract/guest-name.ts';
import { parseCidr, whyNotPrefix } from '../contract/ipv4.ts';
import { normalMirror, whyNotMirrorForm } from '../contract/mirror.ts';
import { parseSize } from '../contract/sizes.ts';

const absolutePath = z
  .string()
  .max(200)
  .regex(/^\/[A-Za-z0-9._/+-]*$/, 'must be an absolute path of letters, digits and . _ + - /')
  .refine((path) => !path.split('/').includes('..'), 'must not contain ".."');
/** Text that passes a check of orders. */
function text(whyNot: check.Check): z.ZodString {
  return z.string().superRefine((value, context) => {
    const reason = whyNot(value);
    if (reason !== undefined) context.addIssue({ code: 'custom', message: reason });
  });
}
const ipv4 = text(check.whyNotAddress);
/** A mirror in a dom0's own settings. Unlike an order, they may name one on the dom0 itself. */
const mirror = text(whyNotMirrorForm).transform(normalMirror);
const addresses = z
  .string()
  .max(40)
  .regex(/^[0-9.]+([-/][0-9.]+)?$/, 'must be an address, a range (192.0.2.1-192.0.2.9) or a network');
const ratio = z.number().min(1, 'must be 1 or more').max(64, 'must be 64 or less');

/** A size as people write it, or 0; becomes bytes. */
const amount = z
  .union([z.literal(0), z.string().refine((text) => parseSize(text) !== undefined, 'must be a size, like 8GiB, or 0')])
  .transform((size) => (size === 0 ? 0 : (parseSize(size) ?? 0)));

/** An origin to which secrets may be sent: https, or this machine. */
const consoleOrigin = z
  .string()
  .max(200)
  .refine((text) => {
    const url = URL.canParse(text) ? new URL(text) : undefined;
    return url?.origin === text && (url.protocol === 'https:' || (url.protocol === 'http:' && url.hostname === '127.0.0.1'));
  }, 'must be an origin like https://panel.example.org: https, a host, no path; or http://127.0.0.1:PORT');

/** Slower than this, no night would end. */
const LEAST_RATE = 2 ** 20;

/** What may be sold of this dom0. */
const policySchema = z
  .strictObject({
    plans: z.array(text(check.whyNotPlanName)).min(1).max(100).exactOptional(),
    /** How many times each is sold. Xen does not page: sell memory more than once only with ballooning, disk only on thin volumes. */
    oversell: z
      .strictObject({
        vcpus: ratio.default(DEFAULT_POLICY.oversell.vcpus),
        memory: ratio.default(DEFAULT_POLICY.oversell.memory),
        disk: ratio.default(DEFAULT_POLICY.oversell.disk),
      })
      .prefault({}),
    /** Never sold. dom0's and Xen's own memory are left out anyway. */
    reserve: z
      .strictObject({ memory: amount.default(DEFAULT_POLICY.reserve.memoryBytes), disk: amount.default(DEFAULT_POLICY.reserve.diskBytes) })
      .prefault({}),
  })
  .transform(({ reserve: { memory, disk }, ...rest }): Dom0Policy => ({ ...rest, reserve: { memoryBytes: memory, diskBytes: disk } }));

/** Schema of `/etc/guestflow/dom0.yaml`. Unknown keys are errors. */
export const dom0SettingsSchema = z.strictObject({
  /** Name of this dom0: part of its task queues. */
  host: z.string().regex(DOM0_NAME_PATTERN, 'must be lower-case letters, digits, dots and hyphens'),
  /** Volume group of the guests' disks. */
  volumeGroup: z
    .string()
    .regex(/^[A-Za-z0-9_+][A-Za-z0-9_+.-]{0,62}$/, 'is no name of a volume group')
    .default('vg01'),
  /**
   * Thin pool of the volume group: new disks of guests are made in it. Disks that are there stay where they are. Default: none, so that a disk takes all of
   * its room at once, and no guest can fill up the room of another.
   */
  thinPool: z
    .string()
    .regex(/^[A-Za-z0-9_+][A-Za-z0-9_+.-]{0,62}$/, 'is no name of a thin pool')
    .optional(),
  /**
   * Directory of the guests' disks, if they are files, each of which takes all of its room at once; best on a file system of its own. Neither the volume
   * group nor a thin pool is used then. Default: none, so that they are volumes.
   */
  diskDir: absolutePath
    .refine((path) => !/\/\.?(?:\/|$)/.test(path), 'must be a directory below /, without a slash at its end, "//" or "/./"')
    .optional(),
  /** Directory of disk images while a guest is made (`dir` of xen-tools). */
  imageDir: absolutePath.default('/home/xen'),
  /** Bridge that guests are attached to. */
  bridge: text(check.whyNotBridge).default('xenbr0'),
  /** The guests' network. */
  network: z.strictObject({
    cidr: text((cidr) => {
      const network = parseCidr(cidr);
      return network === undefined ? 'is no IPv4 network, like 192.0.2.0/24' : whyNotPrefix(network.prefix);
    }),
    gateway: ipv4,
    /** Addresses and ranges of the network that are never leased, because other machines have them. */
    exclude: z.array(addresses).max(100).exactOptional(),
    /** Guests' cfgs name the hotplug script that lets a guest send from its own MAC and addresses only. Takes nftables, and the script of the package. */
    antispoof: z.boolean('must be true or false').default(false),
  }),
  /** Kernel that guests boot. Default: the one dom0 runs. An uncompressed one (`vmlinux`) boots fastest. */
  kernel: absolutePath,
  initrd: absolutePath,
  /** Folder of kernel modules put into guests. Default: what xen-tools finds, `/lib/modules/<release>`. */
  modules: absolutePath.optional(),
  /** Words on every guest's kernel command line. `net.ifnames=0` keeps eth0 from becoming enX0 on Debian 12. */
  guestKernelWords: z.array(text(check.whyNotKernelWord)).max(check.MOST_KERNEL_WORDS).default(['net.ifnames=0']),
  backupDir: absolutePath.default('/var/backups/guestflow'),
  /** The engine of backups. If it cannot be trusted with a guest's file system, `blocks` takes its place. */
  backupEngine: z.enum(['blocks', 'dump']).default('blocks'),
  /** How many bytes of a guest's disk a backup by `blocks` reads a second at most. 0: as fast as the disks can. */
  backupRate: amount.refine((rate) => rate === 0 || rate >= LEAST_RATE, 'must be 1MiB or more, or 0').default(0),
  /** What keeps the content of new backups: a file each in `backupDir`, or a borg repository for each guest in there, which deduplicates and encrypts. */
  backupRepository: z.enum(['directory', 'borg']).default('directory'),
  /** File of the passphrase of the borg repositories (mode 0600). */
  backupPassphraseFile: absolutePath.default(PASSPHRASE_FILE),
  /** Directories of backups that other dom0s have taken, or copies of them: read only. What guests are restored from here that lived elsewhere. */
  foreignRepositories: z.array(absolutePath).max(20).default([]),
  /** Directory of the golden root tarballs and file systems. */
  goldenDir: absolutePath.default('/var/lib/guestflow/golden'),
  /**
   * Days after which golden tarballs and root file systems are made anew, with the security updates that came since. 0: never. What cannot be made anew is
   * used as it is.
   */
  goldenMaxAgeDays: z.number().int('must be whole days').min(0).max(3650).default(30),
  /** State that is not a guest's disk: provisioning keys, host keys. Mode 0700. */
  stateDir: absolutePath.default('/var/lib/guestflow'),
  /** Directory of xen-tools roles that guestflow ships. */
  roleDir: absolutePath.default('/usr/share/guestflow/role.d'),
  /** Debian mirror for guests. Default: what dom0's own apt uses. */
  mirror: mirror.exactOptional(),
  /** Ubuntu mirror for guests. Default: what dom0's own apt has of that release, else http://archive.ubuntu.com/ubuntu. */
  ubuntuMirror: mirror.exactOptional(),
  /** File of the codec keys that payloads are encrypted with (mode 0600). Default: `GUESTFLOW_CODEC_KEY_FILE`, else the systemd credential `codec-keys`, else none. */
  codecKeyFile: absolutePath.exactOptional(),
  /** The gateway to which the worker connects for consoles and files of backups in the browser, `https://panel.example.org`. Default: none, and both are refused. */
  consoleGateway: consoleOrigin.exactOptional(),
  /** Long copies at once on this dom0. */
  bulkSlots: z.number().int().min(1).max(2).default(1),
  /** How fast released volumes are wiped, MiB a second. 0: as fast as the disks can. */
  wipeMiBPerSecond: z.number().int('must be whole MiB a second').min(0).max(100_000).default(200),
  /** What of this dom0 may be sold. */
  policy: policySchema.prefault({}),
});

export type Dom0Settings = z.output<typeof dom0SettingsSchema>;
