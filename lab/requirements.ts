/** Whether this machine can run the lab: looked at before anything is changed. */
import { readFile, stat, statfs } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { baseKey, findBase } from './base.ts';
import { messageOf } from './errors.ts';
import { layoutOf, type LabPlace } from './layout.ts';
import { labKind } from './releases.ts';
import { hasApt, missingTools } from './tools.ts';

/** Something the machine lacks: what, why the lab needs it, and how to mend it. */
export interface Problem {
  readonly what: string;
  readonly why: string;
  readonly mend: string;
}

const GIB = 1024 ** 3;
/** A machine sold as 8 GiB shows a little less. */
const MEMORY_BYTES = 7.5 * GIB;
const DISK_TO_BUILD = 12 * GIB;
const DISK_TO_RUN = 4 * GIB;

async function memoryOfMachine(): Promise<number> {
  const limit = await readFile('/sys/fs/cgroup/memory.max', 'utf8').catch(() => 'max');
  return limit.trim() === 'max' ? os.totalmem() : Math.min(os.totalmem(), Number(limit));
}

/** Free bytes of the disk that a folder is on, or will be on; and which disk that is. */
async function freeSpace(folder: string): Promise<{ free: number; device: number }> {
  try {
    const [{ bavail, bsize }, { dev }] = await Promise.all([statfs(folder), stat(folder)]);
    return { free: bavail * bsize, device: dev };
  } catch {
    return folder === path.dirname(folder) ? { free: 0, device: 0 } : await freeSpace(path.dirname(folder));
  }
}

const inGib = (bytes: number): string => `${(bytes / GIB).toFixed(1)} GiB`;

async function diskProblems(cache: string, home: string, isBuilt: boolean): Promise<Problem[]> {
  const needed = isBuilt ? DISK_TO_RUN : DISK_TO_BUILD;
  const [ofCache, ofHome] = await Promise.all([freeSpace(cache), freeSpace(home)]);
  const wanted =
    ofCache.device === ofHome.device
      ? [{ folder: cache, free: ofCache.free, needed }]
      : [
          { folder: cache, free: ofCache.free, needed: needed / 2 },
          { folder: home, free: ofHome.free, needed: needed / 2 },
        ];
  return wanted
    .filter((place) => place.free < place.needed)
    .map((place) => ({
      what: `${inGib(place.free)} of disk are free for ${place.folder}`,
      why: `the lab needs ${inGib(place.needed)} there for its dom0, its guests and its saved states`,
      mend: 'free some space, or name another folder in GUESTFLOW_CACHE',
    }));
}

/** What keeps this machine from running a lab of that kind (default: the usual one), and whether its base is built already. Changes nothing. */
export async function labRequirements(place: LabPlace, kind = labKind()): Promise<{ ok: boolean; problems: Problem[]; isBuilt: boolean }> {
  const layout = layoutOf(place);
  const problems: Problem[] = [];
  if (process.getuid?.() !== 0)
    problems.push({ what: 'this is not root', why: "the lab installs tools and makes a dom0's root tree", mend: 'run it as root (sudo)' });
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    problems.push({
      what: `this machine is ${process.platform} on ${process.arch}`,
      why: "the lab's Xen is built for Linux on amd64",
      mend: 'use a Debian machine on amd64',
    });
  }
  const base = await baseKey(kind).then(
    (key) => findBase(layout.cache, key),
    (error: unknown) => {
      problems.push({
        what: messageOf(error),
        why: 'dom0 and guest are made from Debian packages',
        mend: `add a source of Debian ${kind.release} to /etc/apt/sources.list.d`,
      });
      return undefined;
    },
  );
  const missing = await missingTools();
  if (missing.length > 0 && !(await hasApt())) {
    problems.push({
      what: `${missing.map(({ probe }) => probe).join(', ')} not installed, and no apt-get to install it with`,
      why: 'the lab is built and run with them',
      mend: 'use a Debian machine',
    });
  }
  const memory = await memoryOfMachine();
  if (memory < MEMORY_BYTES)
    problems.push({
      what: `the machine has ${inGib(memory)} of memory`,
      why: 'the lab needs 8 GiB: dom0 and its guests have 4, building needs the rest',
      mend: 'use a machine with more memory',
    });
  problems.push(...(await diskProblems(layout.cache, layout.home, base !== undefined)));
  return { ok: problems.length === 0, problems, isBuilt: base !== undefined };
}
