/** Settings files of Xen and xen-tools, and the directories that guestflow works in. */
import { dirname } from 'node:path';
import { GuestflowError } from '../contract/errors.ts';
import type { Host } from '../system/host.ts';
import { withConsoleLog, withDefaultBridge, withoutPygrub } from '../activities/dom0/tools/dom0-files.ts';
import { readText, showChange, writeChanges, type FileChange } from './files.ts';
import { change, there, type Verb, type Wishes } from './types.ts';

interface Setting {
  readonly path: string;
  readonly what: string;
  /** The Debian package that brings the file. */
  readonly from: string;
  readonly edit: (text: string) => string;
}

function settingsFor({ bridge }: Wishes): Setting[] {
  return [
    ...(bridge === undefined
      ? []
      : [
          {
            path: '/etc/xen/xl.conf',
            what: `vif.default.bridge="${bridge.name}"`,
            from: 'xen-utils-common',
            edit: (text: string) => withDefaultBridge(text, bridge.name),
          },
        ]),
    { path: '/etc/default/xen', what: "guests' consoles are logged", from: 'xen-utils-common', edit: withConsoleLog },
    { path: '/etc/xen-tools/distributions.conf', what: 'no distribution is forced to pygrub', from: 'xen-tools', edit: withoutPygrub },
  ];
}

async function changesOf(host: Host, setting: Setting): Promise<FileChange | undefined> {
  const before = await readText(host.files, setting.path);
  if (before === undefined) return undefined;
  return { path: setting.path, before, after: setting.edit(before) };
}

export const settings: Verb = {
  name: 'settings',
  async look({ host, wishes }) {
    const changes: string[] = [];
    for (const setting of settingsFor(wishes)) {
      const edit = await changesOf(host, setting);
      if (edit === undefined) changes.push(`${setting.path}: ${setting.what} (when package ${setting.from} has brought the file)`);
      else if (edit.before !== edit.after) changes.push(...showChange(edit));
    }
    return changes.length === 0 ? there('xl.conf, default/xen and xen-tools are set') : change('files of Xen and xen-tools', changes);
  },
  async do(job) {
    for (const setting of settingsFor(job.wishes)) {
      const edit = await changesOf(job.host, setting);
      if (edit === undefined)
        throw new GuestflowError('HostNotReady', `${setting.path} is not there, and package ${setting.from} is installed`, {
          field: 'file',
          value: setting.path,
          mend: `put back the package's own file: apt-get install --reinstall -o Dpkg::Options::=--force-confmiss ${setting.from}`,
        });
      await writeChanges(job, [edit]);
    }
  },
};

/** Images, golden tarballs, backups, autostart: the defaults of dom0.yaml. */
const DIRECTORIES: readonly (readonly [path: string, mode: number])[] = [
  ['/home/xen/domains', 0o755],
  ['/etc/xen/auto', 0o755],
  ['/var/lib/guestflow/golden', 0o700],
  ['/var/backups/guestflow', 0o700],
];

async function absent(host: Host): Promise<(readonly [path: string, mode: number])[]> {
  const list: (readonly [string, number])[] = [];
  for (const [path, mode] of DIRECTORIES) {
    const info = await host.files.info(path);
    if (info === undefined) list.push([path, mode]);
    else if (info.kind !== 'directory' && info.kind !== 'symlink')
      throw new GuestflowError('NotOurs', `${path} is no directory but a ${info.kind}`, {
        field: 'directory',
        value: path,
        mend: `move ${path} out of the way`,
      });
  }
  return list;
}

/** The directories above that are not there either, lowest first. */
async function missingParents(host: Host, path: string): Promise<string[]> {
  const missing: string[] = [];
  for (let at = path; (await host.files.info(at)) === undefined; at = dirname(at)) missing.push(at);
  return missing;
}

export const directories: Verb = {
  name: 'directories',
  async look({ host }) {
    const list = await absent(host);
    return list.length === 0
      ? there(DIRECTORIES.map(([path]) => path).join(', '))
      : change(
          `missing: ${list.map(([path]) => path).join(', ')}`,
          list.map(([path, mode]) => `mkdir --parents --mode=${mode.toString(8).padStart(4, '0')} ${path}`),
        );
  },
  async do({ host, onUndo }) {
    for (const [path, mode] of await absent(host)) {
      const made = await missingParents(host, path);
      // What somebody has put there meanwhile is not ours to remove: rmdir takes empty ones only.
      onUndo(`remove the directory ${path}`, async () => {
        for (const directory of made)
          if ((await host.files.info(directory)) !== undefined) await host.run('rmdir', ['--ignore-fail-on-non-empty', '--', directory]);
      });
      await host.files.makeDirectory(path, mode);
    }
  },
};
