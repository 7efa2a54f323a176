/** create-image: the guest's disk as an image file, by xen-tools, from the golden root tarball (rows 3-5 of the how-to). */
import { distributionOf } from '../../../contract/distributions.ts';
import { broadcastOf, formatIpv4, networkOf, parseIpv4, prefixOfNetmask } from '../../../contract/ipv4.ts';
import type { GoldenResult, GuestNetwork, GuestRef, GuestSpec, ImageResult } from '../../../contract/types.ts';
import type { Dom0Settings } from '../../../contract/dom0-settings.ts';
import { MiB } from '../../../contract/sizes.ts';
import { PART_SUFFIX } from '../../../system/host.ts';
import { knownHostsLine, makeKey } from '../tools/guest-ssh.ts';
import { readHostKey, writeRoleInput } from '../images/role-input.ts';
import { archiveOf } from '../images/apt-sources.ts';
import { goldenWork } from '../images/mmdebstrap.ts';
import { clearHalfMade, makeGolden, xenCreateImage } from '../images/xen-tools.ts';
import { guestPaths, type GuestPaths } from '../guest-paths.ts';
import { makeMarkedDirectory, partsOf, removeParts } from '../staging.ts';
import { isOwner, MARKER_FILE, markerOwner, markerText, mustOwn } from '../marks.ts';
import { openPassword } from '../password-key.ts';
import type { StepEnv } from '../step.ts';
import { defined } from '../../../contract/defined.ts';

/** Record beside a golden tarball. */
interface GoldenRecord {
  readonly dist: string;
  readonly sha256: string;
  readonly bytes: number;
  readonly createdAt: string;
}

function parseGoldenRecord(text: Buffer | undefined): GoldenRecord | undefined {
  if (text === undefined) return undefined;
  try {
    const value = JSON.parse(text.toString('utf8')) as Partial<GoldenRecord>;
    const { dist, sha256, bytes, createdAt } = value;
    return typeof dist === 'string' && typeof sha256 === 'string' && typeof bytes === 'number' && typeof createdAt === 'string'
      ? { dist, sha256, bytes, createdAt }
      : undefined;
  } catch {
    return undefined;
  }
}

function goldenPath(settings: Dom0Settings, dist: string): string {
  return `${settings.goldenDir}/${dist}.tar`;
}

function unfinishedGolden(settings: Dom0Settings, dist: string): string {
  return `${settings.goldenDir}/${dist}${PART_SUFFIX}.tar`;
}

/** The mirror that an order, its plan or the dom0's settings name; undefined: that of the dom0's own apt sources. */
export function mirrorFor(settings: Dom0Settings, { dist, mirror }: { dist: string; mirror?: string }): string | undefined {
  return mirror ?? (distributionOf(dist)?.family === 'ubuntu' ? settings.ubuntuMirror : settings.mirror);
}

/** What is known of the distribution's golden tarball when it is there, whole by its size. Its checksum is not computed. */
export async function goldenRecord(env: StepEnv, dist: string): Promise<Omit<GoldenResult, 'path' | 'reused'> | undefined> {
  const path = goldenPath(env.settings, dist);
  const record = parseGoldenRecord(await env.host.files.read(`${path}.json`));
  return record !== undefined && (await env.host.files.info(path))?.bytes === record.bytes ? record : undefined;
}

async function sha256Of(env: StepEnv, path: string): Promise<string> {
  const { stdout } = await env.host.run('sha256sum', ['--', path], { timeoutMs: 10 * 60_000, signal: env.signal });
  return stdout.slice(0, 64);
}

/**
 * The distribution's root tarball, made once on this dom0. A tarball whose size is not the recorded one is made again; the checksum is
 * computed when it is made, and compared each time it is used.
 */
export async function ensureGolden(env: StepEnv, input: { dist: string; mirror?: string }): Promise<GoldenResult> {
  const { host, settings } = env;
  const path = goldenPath(settings, input.dist);
  const record = await goldenRecord(env, input.dist);
  if (record !== undefined) {
    env.progress(`checking the golden root tarball of ${input.dist}`);
    if ((await sha256Of(env, path)) === record.sha256) return { ...record, path, reused: true };
    env.log.warn({ path }, 'the golden root tarball does not match its checksum: it is made again');
  }
  await host.files.makeDirectory(settings.goldenDir, 0o700);
  await discardHalfGolden(env, input);
  const unfinished = unfinishedGolden(settings, input.dist);
  env.progress(`making the golden root tarball of ${input.dist} (once on this dom0)`);
  const mirror = mirrorFor(settings, input);
  await makeGolden(host, {
    dist: input.dist,
    path: unfinished,
    ...defined({ mirror }),
    signal: env.signal,
    onProgress: (line) => {
      env.progress(`golden root tarball: ${line}`);
    },
  });
  const made = {
    dist: input.dist,
    sha256: await sha256Of(env, unfinished),
    bytes: (await host.files.info(unfinished))?.bytes ?? 0,
    createdAt: new Date().toISOString(),
  };
  // The record first: a tarball without a matching record is made again, a record without its tarball too.
  await host.files.writeAtomic(`${path}.json`, `${JSON.stringify(made)}\n`, 0o600);
  await host.files.rename(unfinished, path);
  return { ...made, path, reused: false };
}

/** What can be left of a making, and what of it there is. */
export async function halfGolden(env: StepEnv, dist: string): Promise<string[]> {
  const { files } = env.host;
  const unfinished = unfinishedGolden(env.settings, dist);
  const there: string[] = [];
  for (const path of [unfinished, goldenWork(unfinished)]) if ((await files.info(path)) !== undefined) there.push(path);
  return [...there, ...(await partsOf(files, `${goldenPath(env.settings, dist)}.json`))];
}

/** Undo of `ensureGolden`: what a making that was cut short has left. A whole tarball stays: the next guest is made from it. */
export async function discardHalfGolden(env: StepEnv, input: { dist: string }): Promise<void> {
  for (const path of await halfGolden(env, input.dist)) await env.host.files.removeTree(path);
}

/** The directory of a guest's keys and records, marked. Made before anything else of the guest is. */
export async function ensureGuestState(env: StepEnv, ref: GuestRef): Promise<GuestPaths> {
  const paths = guestPaths(env.settings, ref.name);
  await makeMarkedDirectory(env.host.files, paths.state, ref);
  return paths;
}

/** What the role puts into the image: the customer's keys, and the provisioning key of this one guest, which never leaves this dom0. */
async function prepareRole(env: StepEnv, spec: GuestSpec, paths: GuestPaths, aptSources: readonly string[] | undefined): Promise<void> {
  const passwordHash = await openPassword(env, spec);
  const provision = await makeKey(env.host, paths.provisionKey, provisionKeyComment(spec));
  await writeRoleInput(env.host, paths.roleInput, {
    authorizedKeys: [provision, ...spec.sshKeys],
    timezone: spec.timezone,
    dist: spec.dist,
    ...defined({ aptSources, hostname: spec.hostname, ipv6: spec.network.ipv6, passwordHash }),
  });
}

/** Where xen-tools and the guest get packages from. xen-tools' own defaults are Debian's, and its hook knows no later release of Ubuntu. */
async function packagesOf(env: StepEnv, spec: GuestSpec): Promise<{ mirror?: string; aptSources?: readonly string[] }> {
  const mirror = mirrorFor(env.settings, spec);
  if (distributionOf(spec.dist)?.family !== 'ubuntu') return mirror === undefined ? {} : { mirror };
  const { uri, lines } = await archiveOf(env.host, spec.dist, mirror);
  return { mirror: uri, aptSources: lines };
}

/** Comment of the provisioning key: by it, seal finds the line again. */
export function provisionKeyComment(ref: GuestRef): string {
  return `guestflow-provision-${ref.name}`;
}

function broadcastText({ ip, netmask }: GuestNetwork): string {
  return formatIpv4(broadcastOf(networkOf(parseIpv4(ip) ?? 0, prefixOfNetmask(netmask) ?? 32)));
}

/** Makes the image below a directory of its own, and renames that into place when it is whole. */
export async function createImage(env: StepEnv, input: { spec: GuestSpec }): Promise<ImageResult> {
  const { host, settings } = env;
  const { spec } = input;
  const paths = await ensureGuestState(env, spec);
  const marker = await host.files.read(`${paths.images}/${MARKER_FILE}`);
  const disk = await host.files.info(paths.diskImage);
  if (isOwner(markerOwner(marker), spec) && disk !== undefined)
    return { directory: paths.images, bytes: disk.allocatedBytes, reused: true };
  if ((await host.files.info(paths.images)) !== undefined) mustOwn(markerOwner(marker), spec, paths.images);

  await clearHalfMade(host, paths.unfinishedImages);
  await host.files.removeTree(paths.unfinishedImages);
  await host.files.makeDirectory(paths.unfinishedImages, 0o700);
  const { mirror, aptSources } = await packagesOf(env, spec);
  await prepareRole(env, spec, paths, aptSources);
  env.progress(`xen-create-image ${spec.name}: installing ${spec.dist}`);
  await xenCreateImage(
    host,
    {
      name: spec.name,
      ...spec.network,
      broadcast: broadcastText(spec.network),
      memoryMiB: spec.memoryBytes / MiB,
      diskMiB: spec.diskBytes / MiB,
      swapMiB: spec.swapBytes / MiB,
      vcpus: spec.vcpus,
      fs: spec.fs,
      fsOptions: spec.fsOptions,
      dist: spec.dist,
      image: spec.image,
      kernel: settings.kernel,
      initrd: settings.initrd,
      serialDevice: spec.serialDevice,
      directory: paths.unfinishedImages,
      roleDir: settings.roleDir,
      roleInput: paths.roleInput,
      ...defined({ modules: settings.modules, role: spec.role, mirror }),
      ...(spec.installMethod === 'golden' ? { goldenTarball: goldenPath(settings, spec.dist) } : {}),
    },
    {
      signal: env.signal,
      onOutput: (line) => {
        env.progress(`xen-create-image: ${line}`);
      },
    },
  );

  // The role made the guest's host key on this dom0, so the first login already knows whom it talks to.
  await removeParts(host.files, paths.knownHosts);
  await host.files.writeAtomic(paths.knownHosts, knownHostsLine(spec.network.ip, await readHostKey(host, paths.roleInput)));
  const made = `${paths.unfinishedImages}/domains/${spec.name}`;
  await host.files.rename(`${paths.unfinishedImages}/${spec.name}.cfg`, `${made}/${spec.name}.cfg`);
  await host.files.writeAtomic(`${made}/${MARKER_FILE}`, markerText({ guest: spec.name, order: spec.order }));
  await host.files.makeDirectory(`${settings.imageDir}/domains`);
  // The image's blocks must be on the disk before the name says that it is whole.
  await host.run('sync', ['--file-system', `${made}/disk.img`], { timeoutMs: 10 * 60_000, signal: env.signal });
  await host.files.rename(made, paths.images);
  await host.files.removeTree(paths.unfinishedImages);
  await host.files.removeTree(paths.roleInput);
  return { directory: paths.images, bytes: (await host.files.info(paths.diskImage))?.allocatedBytes ?? 0, reused: false };
}
