/** Where the lab keeps what: the cache that labs share, the folder of one lab, and its sockets. */
import { createHash } from 'node:crypto';
import os from 'node:os';
import path from 'node:path';
import { LabError } from './errors.ts';

/** Which lab, and where its files are. */
export interface LabPlace {
  /** Name of the lab; several can run side by side. Lower-case letters, digits and hyphens, 1–20. Default: `lab`. */
  readonly name?: string | undefined;
  /** Folder of this project's state, e.g. `.guestflow`. */
  readonly stateDir: string;
  /** Default: `$GUESTFLOW_CACHE`, or `guestflow` in `$XDG_CACHE_HOME` or `~/.cache`. */
  readonly cacheDir?: string | undefined;
}

/** The paths of one lab. */
export interface Layout {
  readonly name: string;
  readonly cache: string;
  /** Folder of this lab: its record, disks, logs and ssh configuration. */
  readonly home: string;
  /** Folder of its sockets: short, since a socket's path holds 107 bytes at most. */
  readonly run: string;
  readonly record: string;
  readonly rootDisk: string;
  readonly volumeDisk: string;
  readonly parcel: string;
  readonly memory: string;
  readonly serialLog: string;
  readonly qemuLog: string;
  readonly sshConfig: string;
  readonly knownHosts: string;
  readonly qmpSocket: string;
  readonly pidFile: string;
  readonly serialSocket: string;
  readonly sshControl: string;
  readonly forwarder: string;
  /** Appears when dom0 asked for the Temporal server while the way there was shut. */
  readonly knocked: string;
}

const NAME = /^[a-z0-9][a-z0-9-]{0,19}$/;
const RUN_FOLDER = '/run/guestflow-lab';

/** The cache's folder when none is given. */
export function defaultCacheDir(): string {
  const own = process.env['GUESTFLOW_CACHE'];
  if (own !== undefined && own !== '') return path.resolve(own);
  const xdg = process.env['XDG_CACHE_HOME'];
  return path.join(xdg !== undefined && xdg !== '' ? xdg : path.join(os.homedir(), '.cache'), 'guestflow');
}

/** The paths of a lab. Throws `LabError` when its name is no name. */
export function layoutOf(place: LabPlace): Layout {
  const name = place.name ?? 'lab';
  if (!NAME.test(name))
    throw new LabError(
      'bad-input',
      `"${name}" is no name for a lab: use 1 to 20 lower-case letters, digits and hyphens, with no hyphen first`,
    );
  const home = path.resolve(place.stateDir, 'lab', name);
  const run = path.join(RUN_FOLDER, createHash('sha256').update(home).digest('hex').slice(0, 12));
  return {
    name,
    home,
    run,
    cache: path.join(path.resolve(place.cacheDir ?? defaultCacheDir()), 'lab'),
    record: path.join(home, 'lab.json'),
    rootDisk: path.join(home, 'root.qcow2'),
    volumeDisk: path.join(home, 'volumes.qcow2'),
    parcel: path.join(home, 'parcel.raw'),
    memory: path.join(home, 'memory.zst'),
    serialLog: path.join(home, 'serial.log'),
    qemuLog: path.join(home, 'qemu.log'),
    sshConfig: path.join(home, 'ssh_config'),
    knownHosts: path.join(home, 'known_hosts'),
    qmpSocket: path.join(run, 'qmp'),
    pidFile: path.join(run, 'pid'),
    serialSocket: path.join(run, 'serial'),
    sshControl: path.join(run, 'ssh'),
    forwarder: path.join(run, 'temporal'),
    knocked: path.join(run, 'knocked'),
  };
}
