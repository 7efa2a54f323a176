/** A volume for the benches of backups, with what a guest has on it; and how long work on it takes. As root, on loop devices. */
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MiB } from '../contract/sizes.ts';
import type { Host } from '../system/host.ts';

export const LIMIT_MS = 6 * 60 * 60_000;
/** The file of one MiB that is brought back alone. */
export const ONE_FILE = 'one-MiB';
/** Programs and small files of this machine, so that it compresses as a guest does. */
const SOURCES = ['/usr/bin', '/usr/share'] as const;

export interface Taken {
  readonly seconds: number;
  readonly cpuSeconds: number;
}

/** CPU seconds of this process and of those that it has waited for: fields 14 to 17 of /proc/PID/stat, in hundredths (proc(5), USER_HZ). */
function cpuNow(): number {
  const fields = readFileSync('/proc/self/stat', 'latin1').split(') ')[1]?.split(' ') ?? [];
  return fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0) / 100;
}

export async function timed<T>(work: () => Promise<T>): Promise<Taken & { readonly result: T }> {
  const [cpu, begun] = [cpuNow(), performance.now()];
  const result = await work();
  return { seconds: (performance.now() - begun) / 1000, cpuSeconds: cpuNow() - cpu, result };
}

/** What is made for the bench, and goes at its end. */
export class Bench {
  readonly place = mkdtempSync(join(process.env['TMPDIR'] ?? tmpdir(), 'guestflow-bench-'));
  private readonly devices: string[] = [];
  readonly host: Host;

  constructor(host: Host) {
    this.host = host;
  }

  path(name: string): string {
    return join(this.place, name);
  }

  async volume(name: string, bytes: number): Promise<string> {
    writeFileSync(this.path(name), '');
    truncateSync(this.path(name), bytes);
    const { stdout } = await this.host.run('losetup', ['--find', '--show', this.path(name)]);
    this.devices.push(stdout.trim());
    return stdout.trim();
  }

  /** Runs work with a device mounted that only this bench has written. */
  async mounted<T>(device: string, work: (at: string) => Promise<T>): Promise<T> {
    const at = this.path('mount');
    await mkdir(at, { recursive: true });
    await this.host.run('mount', [device, at]);
    try {
      return await work(at);
    } finally {
      await this.host.run('umount', [at]);
    }
  }

  /** A pipeline of which the last program writes its output to a file, or takes it. */
  async pipe(stages: readonly (readonly [tool: string, ...args: string[]])[], to?: string): Promise<void> {
    const sink = to === undefined ? undefined : await this.host.files.sink(to);
    await this.host.pipeline(
      stages.map(([tool, ...args]) => ({ tool, args })),
      { timeoutMs: LIMIT_MS, sink: (chunk) => sink?.write(chunk) },
    );
    await sink?.commit();
  }

  async close(): Promise<void> {
    for (const device of this.devices) await this.host.run('losetup', ['--detach', device], { okCodes: [0, 1] });
    rmSync(this.place, { recursive: true, force: true });
  }
}

/** Fills half of it, in rounds: programs, small files, and 64 MiB of noise, until there is no room for another part in that half. */
export async function fill(bench: Bench, device: string, bytes: number): Promise<void> {
  const { host } = bench;
  await host.run('mkfs.ext4', ['-q', device], { timeoutMs: LIMIT_MS });
  await bench.mounted(device, async (at) => {
    const used = async (): Promise<number> => Number((await host.run('df', ['-B1', '--output=used', at])).stdout.trim().split('\n').at(-1));
    for (let part = 0; (await used()) < bytes / 2; part += 1) {
      const to = `${at}/part-${part}`;
      const source = [...SOURCES, undefined][part % 3];
      if (source === undefined)
        await host.run('dd', ['if=/dev/urandom', `of=${to}`, 'bs=1M', 'count=64', 'status=none'], { timeoutMs: LIMIT_MS });
      else await host.run('cp', ['-a', '--', source, to], { timeoutMs: LIMIT_MS, okCodes: [0, 1] });
    }
    writeFileSync(join(at, ONE_FILE), Buffer.alloc(MiB, 'x'));
  });
  await host.run('e2fsck', ['-fp', device], { timeoutMs: LIMIT_MS, okCodes: [0, 1] });
}

export function row(what: string, ours: number, theirs: number, unit = 's'): void {
  const ratio = (ours / theirs).toFixed(3);
  process.stdout.write(
    `${what.padEnd(56)}${ours.toFixed(1).padStart(9)} ${unit}${theirs.toFixed(1).padStart(9)} ${unit}${ratio.padStart(9)}\n`,
  );
}
