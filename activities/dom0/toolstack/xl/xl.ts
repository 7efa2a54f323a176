/** `xl`, the Xen toolstack. */
import { GuestflowError } from '../../../../contract/errors.ts';
import type { DomainRow, DomainState } from '../../../../contract/dom0.ts';
import { checkedCount, checkedDomainId, checkedPath, checkedPattern } from '../../tools/arguments.ts';
import type { Host } from '../../../../system/host.ts';
import { tail, ToolError } from '../../../../system/run.ts';
import { until } from '../../../../system/until.ts';

/** What `xl info` says of a dom0. Memory in MiB. */
export interface XlInfo {
  readonly host: string;
  /** The dom0's kernel. */
  readonly release: string;
  readonly xenVersion: string;
  readonly totalMemoryMiB: number;
  readonly freeMemoryMiB: number;
  readonly cpus: number;
}

/** What xl makes of a cfg file. */
export interface DryRun {
  /** The configuration as libxl prints it. */
  readonly config: unknown;
  /** What xl said on standard error beside the line it always says: that a setting was dropped or misread, or how it has read one. */
  readonly warnings: readonly string[];
}

const POLL_MS = 500;
const CONSOLE_DIRECTORY = '/var/log/xen/console';
const CONSOLE_READ_BYTES = 65_536;

/**
 * The letters of xl's state column (r, b, p, s, c, d, or none) as a word. One that has crashed has shut down as well, and all letters of before stay
 * on one that is dying. A domain that waits for its turn on a CPU has no letter.
 */
function stateOf(letters: string): DomainState {
  if (letters.includes('d')) return 'ending';
  if (letters.includes('c')) return 'crashed';
  if (letters.includes('s')) return 'ending';
  return letters.includes('p') ? 'paused' : 'running';
}

/** Rows of `xl list`. Read from the right: a name may hold spaces. A domain that is being taken apart can be called `(null)`. */
export function parseDomainList(text: string): DomainRow[] {
  const rows: DomainRow[] = [];
  for (const line of text.split('\n').slice(1)) {
    const match = /^(.*\S)\s+(\d+)\s+(\d+)\s+(\d+)\s+([rbpscd-]{6})\s+(\d+(?:\.\d+)?)\s*$/.exec(line);
    if (match === null) continue;
    const [, name = '', id, memory, vcpus, state = '', seconds] = match;
    rows.push({
      name,
      id: Number(id),
      memoryMiB: Number(memory),
      vcpus: Number(vcpus),
      state: stateOf(state),
      cpuSeconds: Number(seconds),
    });
  }
  return rows;
}

/** `xl info`. */
export function parseXlInfo(text: string): XlInfo {
  const fields = new Map(
    text.split('\n').map((line) => {
      const at = line.indexOf(':');
      return [line.slice(0, at).trim(), line.slice(at + 1).trim()] as const;
    }),
  );
  const field = (name: string): string => {
    const value = fields.get(name);
    if (value === undefined || value === '')
      throw new GuestflowError('ToolFailed', `xl info does not say ${name}; is xl the toolstack of this dom0?`);
    return value;
  };
  return {
    host: field('host'),
    release: field('release'),
    xenVersion: field('xen_version'),
    totalMemoryMiB: Number(field('total_memory')),
    freeMemoryMiB: Number(field('free_memory')),
    cpus: Number(field('nr_cpus')),
  };
}

/** All domains, dom0 among them, and those that are dying. */
export async function listDomains(host: Host): Promise<DomainRow[]> {
  return parseDomainList((await host.run('xl', ['list'])).stdout);
}

/** The domain of exactly this name. Never asks xl by name: a name of digits would be taken for an id. */
export async function findDomain(host: Host, name: string): Promise<DomainRow | undefined> {
  return (await listDomains(host)).find((row) => row.name === name);
}

export async function hostInfo(host: Host): Promise<XlInfo> {
  return parseXlInfo((await host.run('xl', ['info'])).stdout);
}

/** What xl says whatever the cfg: which file it reads, and that a dom0 has no settings for xl (4.17.7 says that; then the defaults hold). */
const NOT_OF_THE_CFG = /^(?:Parsing config from |Failed to read config file: \/etc\/xen\/xl\.conf:)/;

function saidIn(stderr: string): string[] {
  return stderr.split('\n').filter((line) => line.trim() !== '' && !NOT_OF_THE_CFG.test(line));
}

/** What xl says on standard error of a cfg file that it reads without acting, one that it refuses included. */
export async function saidOf(host: Host, cfgPath: string): Promise<string[]> {
  try {
    return saidIn((await host.run('xl', ['-N', 'create', checkedPath('cfg', cfgPath)], { label: 'xl dry run' })).stderr);
  } catch (error) {
    // Of a file that it refuses it says what it came to until then.
    if (error instanceof ToolError && error.code !== undefined) return saidIn(error.stderr);
    throw error;
  }
}

/** Lets xl read a cfg file without making a domain. Its exit code proves little: read `warnings`, and compare `config` with what was meant. */
export async function dryRun(host: Host, cfgPath: string): Promise<DryRun> {
  const result = await host.run('xl', ['-N', 'create', checkedPath('cfg', cfgPath)], { label: 'xl dry run' });
  const warnings = saidIn(result.stderr);
  const start = result.stdout.indexOf('{');
  try {
    return { config: JSON.parse(result.stdout.slice(start)) as unknown, warnings };
  } catch {
    const said = tail(result.stderr) || tail(result.stdout) || 'nothing';
    throw new GuestflowError('ToolFailed', `xl read ${cfgPath} but printed no configuration; it said: ${said}`, { field: 'cfg' }, false);
  }
}

/** One vcpu of a domain, as `xl vcpu-list` has it. */
export interface VcpuRow {
  readonly domainId: number;
  readonly vcpu: number;
  readonly online: boolean;
}

/** Rows of `xl vcpu-list`: one for each vcpu that a domain was started with room for. One that is off has no CPU and `--p`. */
export function parseVcpuList(text: string): VcpuRow[] {
  const rows: VcpuRow[] = [];
  for (const line of text.split('\n').slice(1)) {
    const match = /^.*\S\s+(\d+)\s+(\d+)\s+(\d+|-)\s+[r-][b-][p-]\s/.exec(line);
    if (match !== null) rows.push({ domainId: Number(match[1]), vcpu: Number(match[2]), online: match[3] !== '-' });
  }
  return rows;
}

/** The vcpus of a domain, those that are off among them. */
export async function listVcpus(host: Host, id: number): Promise<VcpuRow[]> {
  return parseVcpuList((await host.run('xl', ['vcpu-list'])).stdout).filter(({ domainId }) => domainId === id);
}

/**
 * Has a domain's memory become so large, and returns at once: its balloon driver does it, in its own time. The domain cannot take more any more.
 *
 * @param mib MiB
 * @returns false when it is more than the domain was started with room for; nothing has changed then
 */
export async function setMemory(host: Host, id: number, mib: number): Promise<boolean> {
  try {
    await host.run('xl', ['mem-set', checkedDomainId(id), `${String(checkedCount('memory', mib))}m`]);
    return true;
  } catch (error) {
    if (error instanceof ToolError && error.code !== undefined && /memory_static_max/.test(error.stderr)) return false;
    throw error;
  }
}

/** Has so many vcpus of a domain on, and returns at once: its kernel does it. A vcpu is a share of time: there may be more of them than CPUs. */
export async function setVcpus(host: Host, id: number, count: number): Promise<void> {
  await host.run('xl', ['vcpu-set', '--ignore-host', checkedDomainId(id), String(checkedCount('vcpus', count))]);
}

/** Asks the guest to shut down, and returns at once. A domain without the right drivers refuses (ToolError). */
export async function shutdownDomain(host: Host, id: number): Promise<void> {
  await host.run('xl', ['shutdown', checkedDomainId(id)]);
}

/** Ends a domain at once, as if its power was cut. */
export async function destroyDomain(host: Host, id: number): Promise<void> {
  await host.run('xl', ['destroy', checkedDomainId(id)], { timeoutMs: 120_000 });
}

export async function pauseDomain(host: Host, id: number): Promise<void> {
  await host.run('xl', ['pause', checkedDomainId(id)]);
}

export async function unpauseDomain(host: Host, id: number): Promise<void> {
  await host.run('xl', ['unpause', checkedDomainId(id)]);
}

/**
 * Waits until no domain of this name is left, dying ones included: those still hold memory and disks.
 *
 * @param limitMs milliseconds to wait at most.
 * @param id of the domain, when it is known: a dying domain has often lost its name.
 * @returns whether it has gone.
 */
export async function awaitGone(host: Host, name: string, limitMs: number, signal?: AbortSignal, id?: number): Promise<boolean> {
  const ids = new Set(id === undefined ? [] : [id]);
  const look = async (): Promise<boolean> => {
    const left = (await listDomains(host)).filter((row) => row.name === name || ids.has(row.id));
    for (const row of left) ids.add(row.id);
    return left.length === 0;
  };
  return (await until(look, { everyMs: POLL_MS, limitMs, signal })) === true;
}

export function consolePath(name: string): string {
  return `${CONSOLE_DIRECTORY}/guest-${checkedPattern('name', name, /^[A-Za-z0-9][A-Za-z0-9._+-]*$/, 'it is no name of a guest')}.log`;
}

/** The last lines of a guest's console, as xenconsoled logged them; empty when there is no log. */
export async function consoleTail(host: Host, name: string, lines = 40): Promise<string> {
  const path = consolePath(name);
  const found = await host.files.info(path);
  if (found?.kind !== 'file') return '';
  // A guest can write as much as it likes: a long log is never read whole.
  const long = found.bytes > CONSOLE_READ_BYTES;
  const text = long
    ? (await host.run('tail', ['-c', String(CONSOLE_READ_BYTES), '--', path])).stdout
    : String((await host.files.read(path)) ?? '');
  return tail(text, lines);
}
