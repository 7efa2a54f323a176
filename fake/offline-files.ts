/** debugfs on the files of the fake's file systems. Links are kept as texts that say where they lead; directories are where files are. */
import { existsSync, readFileSync } from 'node:fs';
import type { Machine } from './machine.ts';

const LINK = 'link: ';
/** They are there without a file in them, too. */
const DIRECTORIES = ['/', '/etc', '/etc/ssh', '/etc/ssh/sshd_config.d', '/root', '/root/.ssh', '/var/lib/systemd'];
const NOT_FOUND = 'File not found by ext2_lookup';

type Files = Record<string, string>;

function isDirectory(files: Files, path: string): boolean {
  return DIRECTORIES.includes(path) || Object.keys(files).some((file) => file.startsWith(`${path}/`));
}

/** Mode, user and group of files that others than root's programs may not read. */
const PRIVATE: Readonly<Record<string, readonly [mode: string, uid: number, gid: number]>> = {
  '/etc/shadow': ['0640', 0, 42],
  '/root/.ssh': ['0700', 0, 0],
  '/root/.ssh/authorized_keys': ['0600', 0, 0],
};

/** `stat PATH`: what is there, as far as it is asked for. */
function stat(files: Files, path: string): { stdout?: string; stderr?: string } {
  const text = files[path];
  if (text === undefined && !isDirectory(files, path)) return { stderr: `${path}: ${NOT_FOUND} \n` };
  const type = text === undefined ? 'directory' : text.startsWith(LINK) ? 'symlink' : 'regular';
  const [mode, uid, gid] = PRIVATE[path] ?? [text === undefined ? '0755' : '0644', 0, 0];
  const size = Buffer.byteLength(text ?? '');
  return {
    stdout: `Inode: 12   Type: ${type}    Mode:  ${mode}   Flags: 0x80000\nGeneration: 0\nUser: ${String(uid).padStart(5)}   Group: ${String(gid).padStart(5)}   Project:     0   Size: ${String(size)}\nFile ACL: 0\n`,
  };
}

/** `dump PATH FILE`. */
function dump(machine: Machine, files: Files, path: string, to: string): { stdout?: string; stderr?: string } {
  const text = files[path];
  if (text === undefined) return { stderr: `${path}: ${NOT_FOUND} \n` };
  machine.writeText(to, text, 0o600);
  return {};
}

/** `cat PATH`, `ls -p PATH`, `stat PATH` and `dump PATH FILE`. */
export function lookOffline(machine: Machine, files: Files, request: string): { stdout?: string; stderr?: string } {
  const [, whole = '', target = ''] = /^dump (\S+) (\S+)$/.exec(request) ?? [];
  if (whole !== '') return dump(machine, files, whole, target);
  const asked = /^stat (\S+)$/.exec(request)?.[1];
  if (asked !== undefined) return stat(files, asked);
  const [, what = '', path = ''] = /^(cat|ls -p) (\S+)$/.exec(request) ?? [];
  if (what === 'cat') {
    const text = files[path];
    return text === undefined ? { stderr: `${path}: ${NOT_FOUND} \n` } : { stdout: text };
  }
  if (!isDirectory(files, path)) return { stderr: `${path}: ${NOT_FOUND} \n` };
  const prefix = path === '/' ? '/' : `${path}/`;
  const below = [...Object.keys(files), ...DIRECTORIES].filter((file) => file.startsWith(prefix) && file !== prefix);
  const names = new Set(below.map((file) => file.slice(prefix.length).split('/')[0] ?? ''));
  const lines = [...names].map((name) => {
    const text = files[`${prefix}${name}`];
    const mode = text === undefined ? '040755' : text.startsWith(LINK) ? '120777' : '100644';
    return `/12/${mode}/0/0/${name}/${text === undefined ? '' : String(text.length)}/\n`;
  });
  return { stdout: lines.join('') };
}

/** A script of commands. What it says on standard error; it ends well whatever happens. */
export function changeOffline(machine: Machine, files: Files, script: string): string {
  let at = '/';
  const complaints: string[] = [];
  const inside = (name: string): string => (at === '/' ? `/${name}` : `${at}/${name}`);
  for (const line of script.split('\n').filter((each) => each !== '')) {
    const [command, first = '', second = ''] = line.split(' ');
    const path = inside(first);
    if (command === 'cd') {
      if (isDirectory(files, first)) at = first;
      else complaints.push(`${first}: ${NOT_FOUND} `);
    } else if (command === 'rm') {
      if (files[path] === undefined) complaints.push(`rm: ${NOT_FOUND} while trying to resolve filename`);
      else Reflect.deleteProperty(files, path);
    } else if (command === 'write') {
      if (!existsSync(machine.at(first))) complaints.push(`${first}: No such file or directory`);
      else if (files[inside(second)] !== undefined) complaints.push(`The file '${second}' already exists`);
      else files[inside(second)] = readFileSync(machine.at(first), 'utf8');
    } else if (command === 'ln') {
      if (files[path] === undefined) complaints.push(`${first}: ${NOT_FOUND} `);
      else files[inside(second)] = files[path] ?? '';
    } else if (command === 'unlink') {
      if (files[path] === undefined) complaints.push(`unlink_file_by_name: ${NOT_FOUND} `);
      else Reflect.deleteProperty(files, path);
    } else if (command === 'symlink') files[path] = `${LINK}${second}`;
    else if (command !== 'sif' && command !== 'mkdir') complaints.push(`debugfs: unknown request "${command ?? ''}"`);
  }
  return complaints.map((line) => `${line}\n`).join('');
}
