/** A guest's first image, by xen-tools from the golden root tarball. */
import { defined } from '../../../contract/defined.ts';
import { broadcastText } from '../../../contract/ipv4.ts';
import { MiB } from '../../../contract/sizes.ts';
import type { GuestSpec } from '../../../contract/guest.ts';
import type { ImageResult } from '../../../contract/step-results.ts';
import { ensureGuestState, type GuestPaths } from '../guest-paths.ts';
import { isOwner, MARKER_FILE, markerOwner, markerText, mustOwn, type Ref } from '../marks.ts';
import { openPassword } from '../password-key.ts';
import { removeParts } from '../staging.ts';
import { knownHostsLine, makeKey } from '../tools/guest-ssh.ts';
import type { Work } from '../work.ts';
import { goldenPath } from './golden.ts';
import { packagesOf } from './mirrors.ts';
import { readHostKey, writeRoleInput } from './role-input.ts';
import { clearHalfMade, xenCreateImage } from './xen-tools.ts';

/** What the role puts into the image: the customer's keys, and the provisioning key of this one guest, which never leaves this dom0. */
async function prepareRole(work: Work, spec: GuestSpec, paths: GuestPaths, aptSources: readonly string[] | undefined): Promise<void> {
  const passwordHash = await openPassword(work, spec);
  const provision = await makeKey(work.host, paths.provisionKey, provisionKeyComment(spec));
  await writeRoleInput(work.host, paths.roleInput, {
    authorizedKeys: [provision, ...spec.access.sshKeys],
    timezone: spec.os.timezone,
    dist: spec.os.dist,
    ...defined({ aptSources, hostname: spec.hostname, ipv6: spec.network.ipv6, passwordHash }),
  });
}

/** Comment of the provisioning key: by it, seal finds the line again. */
export function provisionKeyComment({ name }: Pick<Ref, 'name'>): string {
  return `guestflow-provision-${name}`;
}

/** Where xen-tools works, and where its packages come from. */
interface Workplace {
  readonly directory: string;
  readonly roleInput: string;
  readonly mirror?: string;
  /** Default: none, but debootstrap. */
  readonly goldenTarball?: string;
}

/** Has xen-tools install the system. @param at what a failed attempt has left there must be gone */
export async function install(work: Work, spec: GuestSpec, { directory, roleInput, ...from }: Workplace): Promise<void> {
  const { host, settings } = work;
  work.progress(`xen-create-image ${spec.name}: installing ${spec.os.dist}`);
  await xenCreateImage(
    host,
    {
      name: spec.name,
      ...spec.network,
      broadcast: broadcastText(spec.network),
      memoryMiB: spec.size.memoryBytes / MiB,
      diskMiB: spec.size.diskBytes / MiB,
      swapMiB: spec.size.swapBytes / MiB,
      vcpus: spec.size.vcpus,
      fs: spec.storage.fs,
      fsOptions: spec.storage.fsOptions,
      dist: spec.os.dist,
      image: spec.storage.image,
      kernel: settings.kernel,
      initrd: settings.initrd,
      serialDevice: spec.os.serialDevice,
      directory,
      roleDir: settings.roleDir,
      roleInput,
      ...defined({ modules: settings.modules, role: spec.os.role }),
      ...from,
    },
    {
      signal: work.signal,
      onOutput: (line) => {
        work.progress(`xen-create-image: ${line}`);
      },
    },
  );
}

/** Makes the image below a directory of its own, and renames that into place when it is whole. */
export async function makeImage(work: Work, spec: GuestSpec): Promise<ImageResult> {
  const { host, settings } = work;
  const paths = await ensureGuestState(work, spec);
  const marker = await host.files.read(`${paths.images}/${MARKER_FILE}`);
  const disk = await host.files.info(paths.diskImage);
  if (isOwner(markerOwner(marker), spec) && disk !== undefined)
    return { directory: paths.images, bytes: disk.allocatedBytes, reused: true };
  if ((await host.files.info(paths.images)) !== undefined) mustOwn(markerOwner(marker), spec, paths.images);

  await clearHalfMade(host, paths.unfinishedImages);
  await host.files.removeTree(paths.unfinishedImages);
  await host.files.makeDirectory(paths.unfinishedImages, 0o700);
  const { mirror, aptSources } = await packagesOf(work, spec);
  await prepareRole(work, spec, paths, aptSources);
  const goldenTarball = spec.os.installMethod === 'golden' ? goldenPath(settings, spec.os.dist) : undefined;
  await install(work, spec, { directory: paths.unfinishedImages, roleInput: paths.roleInput, ...defined({ mirror, goldenTarball }) });

  // The role made the guest's host key on this dom0, so the first login already knows whom it talks to.
  await removeParts(host.files, paths.knownHosts);
  await host.files.writeAtomic(paths.knownHosts, knownHostsLine(spec.network.ip, await readHostKey(host, paths.roleInput)));
  const made = `${paths.unfinishedImages}/domains/${spec.name}`;
  await host.files.rename(`${paths.unfinishedImages}/${spec.name}.cfg`, `${made}/${spec.name}.cfg`);
  await host.files.writeAtomic(`${made}/${MARKER_FILE}`, markerText({ guest: spec.name, order: spec.order }));
  await host.files.makeDirectory(`${settings.imageDir}/domains`);
  // The image's blocks must be on the disk before the name says that it is whole.
  await host.run('sync', ['--file-system', `${made}/disk.img`], { timeoutMs: 10 * 60_000, signal: work.signal });
  await host.files.rename(made, paths.images);
  await host.files.removeTree(paths.unfinishedImages);
  await host.files.removeTree(paths.roleInput);
  return { directory: paths.images, bytes: (await host.files.info(paths.diskImage))?.allocatedBytes ?? 0, reused: false };
}
