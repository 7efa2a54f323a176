/**
 * `npm run bench -- --only backups`: the engine `blocks` beside the how-to's `dump | gzip` and `zcat | restore`, on one volume in one run. As root, on loop
 * devices, with the tools of the host tests. Seconds are the machine's; CPU seconds are those of all processes, this one's, too.
 */
import { mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ZstdFile } from '../activities/dom0/backup/containers/zstd-file.ts';
import { Dom0Engines } from '../activities/dom0/backup/engines/engines.ts';
import type { Container, Engine, Saved } from '../activities/dom0/backup/port.ts';
import { GiB, MiB } from '../contract/sizes.ts';
import { createHost, type Host } from '../system/host.ts';
import { workOn } from '../test/dump-to-file.ts';

const LIMIT_MS = 6 * 60 * 60_000;
/** Programs and small files of this machine, so that it compresses as a guest does. */
const SOURCES = ['/usr/bin', '/usr/share'] as const;

interface Taken {
  readonly seconds: number;
  readonly cpuSeconds: number;
}

/** CPU seconds of this process and of those that it has waited for: fields 14 to 17 of /proc/PID/stat, in hundredths (proc(5), USER_HZ). */
function cpuNow(): number {
  const fields = readFileSync('/proc/self/stat', 'latin1').split(') ')[1]?.split(' ') ?? [];
  return fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0) / 100;
}

async function timed<T>(work: () => Promise<T>): Promise<Taken & { readonly result: T }> {
  const [cpu, begun] = [cpuNow(), performance.now()];
  const result = await work();
  return { seconds: (performance.now() - begun) / 1000, cpuSeconds: cpuNow() - cpu, result };
}

/** What is made for the bench, and goes at its end. */
class Bench {
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
async function fill(bench: Bench, device: string, bytes: number): Promise<void> {
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
    writeFileSync(join(at, 'one-MiB'), Buffer.alloc(MiB, 'x'));
  });
  await host.run('e2fsck', ['-fp', device], { timeoutMs: LIMIT_MS, okCodes: [0, 1] });
}

function row(what: string, ours: number, theirs: number, unit = 's'): void {
  const ratio = (ours / theirs).toFixed(3);
  process.stdout.write(
    `${what.padEnd(56)}${ours.toFixed(1).padStart(9)} ${unit}${theirs.toFixed(1).padStart(9)} ${unit}${ratio.padStart(9)}\n`,
  );
}

/** The backup of guestflow, and the file of the how-to's. */
interface Made {
  readonly engine: Engine;
  readonly saved: Saved;
  readonly ours: Container;
  readonly gzip: string;
}

/** Backs the volume up in both ways. */
async function benchSave(bench: Bench, device: string): Promise<Made> {
  const { host } = bench;
  const gzip = bench.path('how-to.gz');
  const ours = new ZstdFile(workOn(host), bench.path('ours.img.zst'));
  const dump = await timed(() =>
    bench.pipe(
      [
        ['dump', '-0', '-q', '-f', '-', device],
        ['gzip', '-c'],
      ],
      gzip,
    ),
  );
  const { engine, fs } = await new Dom0Engines(workOn(host)).choose(device);
  const idle = process.memoryUsage().rss;
  let most = idle;
  const watch = setInterval(() => {
    most = Math.max(most, process.memoryUsage().rss);
  }, 100);
  const save = await timed(async () => {
    const written = await engine.save(device, ours, fs);
    await ours.commit();
    return written;
  });
  clearInterval(watch);
  const check = await timed(() => engine.check(ours, save.result, fs));
  row('full backup', save.seconds, dump.seconds);
  row('full backup, CPU', save.cpuSeconds, dump.cpuSeconds);
  row('full backup with its verification', save.seconds + check.seconds, dump.seconds);
  row('bytes of it', save.result.bytes / MiB, statSync(gzip).size / MiB, 'M');
  process.stdout.write(`${'memory of this process meanwhile, above idle'.padEnd(56)}${((most - idle) / MiB).toFixed(1).padStart(9)} M\n`);
  return { engine, saved: { ...save.result, dumpedBytes: check.result }, ours, gzip };
}

/** Restores it in both ways, onto disks that read as zeros. */
async function benchRestore(bench: Bench, bytes: number, { engine, saved, ours, gzip }: Made): Promise<void> {
  const { host } = bench;
  const theirs = await bench.volume('how-to-restored', bytes);
  const restore = await timed(async () => {
    await host.run('mkfs.ext4', ['-q', theirs], { timeoutMs: LIMIT_MS });
    await bench.mounted(theirs, async (at) => {
      await host.run('sh', ['-c', 'cd -- "$1" && zcat -- "$2" | restore -rf -', 'sh', at, gzip], { timeoutMs: LIMIT_MS });
    });
  });
  const target = await bench.volume('restored', bytes);
  const whole = await timed(async () => engine.restore?.(ours, saved, { device: target, bytes }));
  const again = await bench.volume('restored-alone', bytes);
  const alone = await timed(() =>
    bench.pipe([
      ['zstd', '-dcq', '--', ours.title],
      ['dd', `of=${again}`, 'bs=1M', 'iflag=fullblock', 'conv=sparse,notrunc,fsync', 'status=none'],
    ]),
  );
  row('restore of the whole disk, compared and checked', whole.seconds, restore.seconds);
  row('restore of the whole disk, CPU', whole.cpuSeconds, restore.cpuSeconds);
  row('  its writing alone, CPU', alone.cpuSeconds, restore.cpuSeconds);
}

/** @param gibibytes size of the volume, of which half is used */
export async function benchBackups(gibibytes: number): Promise<void> {
  const bytes = gibibytes * GiB;
  const bench = new Bench(createHost());
  try {
    const device = await bench.volume('volume', bytes);
    await fill(bench, device, bytes);
    const title = `${gibibytes} GiB, half of it used`;
    process.stdout.write(`${title.padEnd(56)}${'guestflow'.padStart(11)}${'how-to'.padStart(11)}${'ratio'.padStart(9)}\n`);
    await benchRestore(bench, bytes, await benchSave(bench, device));
  } finally {
    await bench.close();
  }
}
