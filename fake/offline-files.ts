/** debugfs on the files of the fake's file systems. Links are kept as texts that say where they lead; directories are where files are. */
import { existsSync, readFileSync } from 'node:fs';
import type { Machine } from './machine.ts';

const LINK = 'link: ';
/** They are there without a file in them, too. */
const DIRECTORIES = ['/', '/etc', '/etc/ssh', '/root', '/root/.ssh', '/var/lib/systemd'];
const NOT_FOUND = 'File not found by ext2_lookup';

type Files = Record<string, string>;

function isDirectory(files: Files, path: string): boolean {
  return DIRECTORIES.includes(path) || Object.keys(files).some((file) => file.startsWith(`${path}/`));
}

/** `cat PATH` and `ls -p PATH`. */
export function lookOffline(files: Files, request: string): { stdout?: string; stderr?: string } {
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
    } else if (command === 'symlink') files[path] = `${LINK}${second}`;
    else if (command !== 'sif' && command !== 'mkdir') complaints.push(`debugfs: unknown request "${command ?? ''}"`);
  }
  return complaints.map((line) => `${line}\n`).join('');
}
