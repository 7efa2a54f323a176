/** GRUB boots Xen by default, with the memory that dom0 keeps. */
import { GuestflowError } from '../contract/errors.ts';
import type { Host } from '../system/host.ts';
import { readText, showChange, writeChanges, type FileChange } from './files.ts';
import { change, there, type Finding, type Job, type Verb, type Wishes } from './types.ts';

/** Read by update-grub after Debian's own `xen.cfg`, whose name sorts before it. */
const SETTINGS = '/etc/default/grub.d/zz-guestflow.cfg';
const GRUB_CFG = '/boot/grub/grub.cfg';
const UPDATE_LIMIT_MS = 10 * 60_000;

/** What GRUB boots when nobody chooses. */
export interface BootEntry {
  readonly title: string;
  /** The names by which `GRUB_DEFAULT` may choose it. */
  readonly id: string;
  readonly isXen: boolean;
  /** What Xen is given, without its file. */
  readonly xenWords: readonly string[];
}

/** All top-level entries of a grub.cfg, in order. */
export function bootEntries(text: string): BootEntry[] {
  const depths = text.split('\n');
  const entries: BootEntry[] = [];
  let submenu = false;
  for (const [index, line] of depths.entries()) {
    if (/^submenu /.test(line)) submenu = true;
    if (line === '}') submenu = false;
    const title = /^\s*menuentry\s+'([^']*)'/.exec(line)?.[1];
    if (title === undefined || submenu) continue;
    const end = depths.findIndex((other, at) => at > index && /^\s*\}\s*$/.test(other));
    const body = depths.slice(index, end === -1 ? undefined : end);
    const xen = body.map((other) => /^\s*multiboot2?\s+(\S*xen\S*)\s*(.*)$/.exec(other)?.[2]).find((words) => words !== undefined);
    const id = /menuentry_id_option\s+'([^']*)'/.exec(line)?.[1] ?? title;
    entries.push({
      title,
      id,
      isXen: xen !== undefined,
      xenWords: (xen ?? '').split(/\s+/).filter((word) => word !== '' && !word.startsWith('$')),
    });
  }
  return entries;
}

/** The entry that a grub.cfg boots by default; undefined when it names none of the top level. */
export function defaultEntry(text: string): BootEntry | undefined {
  const name = [...text.matchAll(/^\s*set default="([^"$]*)"/gm)].at(-1)?.[1];
  const entries = bootEntries(text);
  return /^\d+$/.test(name ?? '') ? entries[Number(name)] : entries.find(({ title, id }) => title === name || id === name);
}

function memoryWord(megabytes: number): string {
  return `dom0_mem=${String(megabytes)}M,max:${String(megabytes)}M`;
}

/** Our file. Words of Xen's that the operator has set in /etc/default/grub stay before ours. */
export function grubSettings(memoryMiB: number | undefined, defaultId?: string): string {
  return [
    '# Made by guestflow dom0 prepare.',
    'XEN_OVERRIDE_GRUB_DEFAULT=1',
    ...(defaultId === undefined ? [] : [`GRUB_DEFAULT='${defaultId}'`]),
    ...(memoryMiB === undefined ? [] : [`GRUB_CMDLINE_XEN_DEFAULT="$GRUB_CMDLINE_XEN_DEFAULT ${memoryWord(memoryMiB)}"`]),
    '',
  ].join('\n');
}

/** The memory that our file sets, MiB. */
export function settingsMemory(text: string | undefined): number | undefined {
  const found = /dom0_mem=(\d+)M/.exec(text ?? '')?.[1];
  return found === undefined ? undefined : Number(found);
}

/** Why GRUB's present settings are not enough; undefined if they are. */
export function whyNotXen(grubCfg: string | undefined, wishes: Pick<Wishes, 'dom0MemoryMiB'>): string | undefined {
  const entry = grubCfg === undefined ? undefined : defaultEntry(grubCfg);
  if (entry?.isXen !== true) return `GRUB boots ${entry === undefined ? 'no entry that is known' : `"${entry.title}"`} by default, not Xen`;
  const wanted = wishes.dom0MemoryMiB;
  if (wanted !== undefined && !entry.xenWords.includes(memoryWord(wanted))) return `GRUB does not give Xen ${memoryWord(wanted)}`;
  return undefined;
}

async function settingsChange(host: Host, { dom0MemoryMiB }: Wishes, defaultId?: string): Promise<FileChange> {
  const before = await readText(host.files, SETTINGS);
  return { path: SETTINGS, before, after: grubSettings(dom0MemoryMiB ?? settingsMemory(before), defaultId) };
}

/** Debian signs its kernels, not its Xen: the firmware would refuse to boot it. */
async function hasSecureBoot(host: Host): Promise<boolean> {
  const folder = '/sys/firmware/efi/efivars';
  const name = (await host.files.list(folder)).find((entry) => entry.startsWith('SecureBoot-'));
  return name !== undefined && (await host.files.read(`${folder}/${name}`))?.[4] === 1;
}

async function look({ host, wishes }: Pick<Job, 'host' | 'wishes'>): Promise<Finding> {
  if ((await host.files.info('/usr/sbin/update-grub')) === undefined)
    throw new GuestflowError('HostNotReady', 'the host does not boot by GRUB: there is no update-grub', {
      field: 'boot loader',
      mend: 'install grub-pc or grub-efi-amd64, or set up the boot loader of this host to boot Xen and run this again',
    });
  if (await hasSecureBoot(host))
    throw new GuestflowError('HostNotReady', "Secure Boot is on, and Debian's Xen is not signed: the firmware would not boot it", {
      field: 'Secure Boot',
      value: 'on',
      mend: "turn Secure Boot off in the firmware's setup",
    });
  const why = whyNotXen(await readText(host.files, GRUB_CFG), wishes);
  if (why === undefined) return there('GRUB boots Xen by default');
  const settings = await settingsChange(host, wishes);
  return change(why, [...(settings.before === settings.after ? [] : showChange(settings)), 'update-grub']);
}

async function updateGrub(host: Host): Promise<void> {
  await host.run('update-grub', [], { timeoutMs: UPDATE_LIMIT_MS });
}

async function setUp(job: Job): Promise<void> {
  const { host, wishes } = job;
  job.onUndo('make the boot menu of the former settings', () => updateGrub(host));
  await writeChanges(job, [await settingsChange(host, wishes)]);
  await updateGrub(host);
  const text = (await readText(host.files, GRUB_CFG)) ?? '';
  if (defaultEntry(text)?.isXen === true) return;
  // Debian's xen.cfg names the entry by its title, which a distributor of another name does not have.
  const xen = bootEntries(text).find(({ isXen }) => isXen);
  if (xen === undefined) throw new GuestflowError('ToolFailed', `update-grub made no entry for Xen in ${GRUB_CFG}`, { field: 'boot' });
  await writeChanges(job, [await settingsChange(host, wishes, xen.id)]);
  await updateGrub(host);
}

export const boot: Verb = { name: 'boot', look, do: setUp };

/** Why the host must be booted again; undefined if it runs with the settings as they are now. */
export async function whyReboot(host: Host, wishes: Wishes): Promise<string | undefined> {
  if (!String(await host.files.read('/proc/xen/capabilities')).includes('control_d')) return 'Xen is installed and does not run yet';
  if (wishes.dom0MemoryMiB === undefined) return undefined;
  const { stdout } = await host.run('xl', ['info', 'xen_commandline']);
  const word = memoryWord(wishes.dom0MemoryMiB);
  return stdout.split(/\s+/).includes(word) ? undefined : `Xen runs without ${word}`;
}
