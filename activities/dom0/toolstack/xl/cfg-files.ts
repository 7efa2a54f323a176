/** The cfg files of a dom0, where `xl` and xendomains look for them. */
import type { Host, HostFiles } from '../../../../system/host.ts';
import { guestOfDomain } from '../../../../contract/trial.ts';
import { cfgOwner } from '../../marks.ts';
import { fileAt } from '../../tools/links.ts';
import type { CfgFile } from '../port.ts';

export const CFG_DIRECTORY = '/etc/xen';
/** What xendomains starts with the dom0: links to cfg files. */
export const AUTOSTART_DIRECTORY = `${CFG_DIRECTORY}/auto`;
/** No cfg is as large as that, in bytes. */
const LARGEST_CFG = 2 ** 20;
const NO_GUEST = /^(?:\.|xl\.conf$|cpupool$)|(?:~|\.sxp|\.bak|\.old|\.orig|\.save|\.swp|\.part|\.(?:dpkg|ucf)-[a-z]+)$/;

export function cfgPath(name: string): string {
  return `${CFG_DIRECTORY}/${name}.cfg`;
}

export function autostartPath(name: string): string {
  return `${AUTOSTART_DIRECTORY}/${name}.cfg`;
}

/** Whether a guest, or the trial of a golden image, of this name can have a file: domains made by hand can be called anything. */
export function isFileName(name: string): boolean {
  return /^[a-z0-9][a-z0-9._-]*$/.test(guestOfDomain(name));
}

/** The file with its owner; undefined if there is none. */
export async function readCfg({ files }: Host, path: string): Promise<CfgFile | undefined> {
  const bytes = await files.read(path);
  return bytes === undefined ? undefined : { path, bytes, owner: cfgOwner(bytes) };
}

/** The cfg of the domain of this name, if it is one of ours. */
export async function ownCfg(host: Host, name: string): Promise<(CfgFile & { readonly owner: NonNullable<CfgFile['owner']> }) | undefined> {
  const cfg = isFileName(name) ? await readCfg(host, cfgPath(name)) : undefined;
  return cfg?.owner?.guest === guestOfDomain(name) ? { ...cfg, owner: cfg.owner } : undefined;
}

/** Whether the guest's link is there, and leads to its cfg. */
export async function hasOwnLink({ files }: Host, name: string): Promise<boolean> {
  return (await files.readLink(autostartPath(name))) === cfgPath(name);
}

/** The file to which links lead; undefined if it is not a file, or too large for a cfg. */
async function cfgAt(files: HostFiles, path: string): Promise<string | undefined> {
  const file = await fileAt(files, path);
  const info = file === undefined ? undefined : await files.info(file);
  return info === undefined || info.bytes > LARGEST_CFG ? undefined : file;
}

/** All files that may be a guest's: of any name, as `xl create` takes them, and what xendomains starts. */
export async function allCfgs(host: Host): Promise<CfgFile[]> {
  const { files } = host;
  const named = (await files.list(CFG_DIRECTORY)).filter((name) => !NO_GUEST.test(name)).map((name) => `${CFG_DIRECTORY}/${name}`);
  const started = (await files.list(AUTOSTART_DIRECTORY)).map((name) => `${AUTOSTART_DIRECTORY}/${name}`);
  const found = new Set<string>();
  for (const path of [...named, ...started]) {
    const file = await cfgAt(files, path);
    if (file !== undefined) found.add(file);
  }
  const cfgs: CfgFile[] = [];
  for (const path of [...found].sort()) {
    const cfg = await readCfg(host, path);
    if (cfg !== undefined) cfgs.push(cfg);
  }
  return cfgs;
}
