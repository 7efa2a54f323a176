/**
 * `npm run bench -- --only backups`: the engine `blocks`, into a file and into borg, beside the how-to's `dump | gzip` and `zcat | restore`, on one volume in one run. As root, on loop
 * devices, with the tools of the host tests. Seconds are the machine's; CPU seconds are those of all processes, this one's, too.
 */
import { statSync } from 'node:fs';
import { ZstdFile } from '../activities/dom0/backup/containers/zstd-file.ts';
import { Dom0Engines } from '../activities/dom0/backup/engines/engines.ts';
import type { Container, Engine, Saved } from '../activities/dom0/backup/port.ts';
import { GiB, MiB } from '../contract/sizes.ts';
import { createHost } from '../system/host.ts';
import { workOn } from '../test/dump-to-file.ts';
import { benchBorg } from './bench-borg.ts';
import { Bench, fill, LIMIT_MS, row, timed, type Taken } from './bench-volume.ts';

/** The backup of guestflow, and the file of the how-to's. */
interface Made {
  readonly engine: Engine;
  readonly saved: Saved;
  readonly ours: Container;
  readonly gzip: string;
  /** The how-to's. */
  readonly dump: Taken;
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
  return { engine, saved: { ...save.result, dumpedBytes: check.result }, ours, gzip, dump };
}

/** Restores it in both ways, onto disks that read as zeros. */
async function benchRestore(bench: Bench, bytes: number, { engine, saved, ours, gzip }: Made): Promise<Taken> {
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
  return restore;
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
    const made = await benchSave(bench, device);
    const restore = await benchRestore(bench, bytes, made);
    await benchBorg(bench, device, { save: made.dump, savedBytes: statSync(made.gzip).size, restore });
  } finally {
    await bench.close();
  }
}
