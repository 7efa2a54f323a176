/** Parsers and refusals of ext4, copy, dump and loop. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { copyImage, parseShare } from '../../../../../activities/dom0/tools/copy.ts';
import { dumpToFile, listDumpOn } from '../../../../dump-to-file.ts';
import { parseDumpReport, searchListing } from '../../../../../activities/dom0/backup/engines/dump.ts';
import { unsafeForDump } from '../../../../../activities/dom0/backup/engines/dump-trust.ts';
import { checkFs, parseFsInfo, replayJournal } from '../../../../../activities/dom0/tools/ext4.ts';
import type { Host } from '../../../../../system/host.ts';
import { detachLoop, freeLoopDevices, parseLoopDevices } from '../../../../../activities/dom0/tools/loop.ts';
import { recorded, scriptedHost } from '../../../scripted-host.ts';

describe('ext4', () => {
  it('reads what dumpe2fs says of a file system', () => {
    expect(parseFsInfo(recorded('dumpe2fs'))).toMatchObject({ state: 'clean', blockSize: 1024, blocks: 65_536 });
    expect(parseFsInfo(recorded('dumpe2fs')).features).toContain('has_journal');
  });

  it('takes a mended file system for good, and errors that are left for a failure', async () => {
    await checkFs(
      scriptedHost(() => ({ code: 1 })),
      '/dev/vg01/web1-root',
    );
    await expect(
      checkFs(
        scriptedHost(() => ({ code: 4 })),
        '/dev/vg01/web1-root',
      ),
    ).rejects.toThrow(/exit code 4/);
  });

  it('replays the journal also where e2fsck knows no journal_only', async () => {
    const host = scriptedHost((command) => ({ code: command.includes('journal_only') ? 16 : 1 }));
    await replayJournal(host, '/dev/vg01/web1-backup');
    expect(host.calls).toEqual(['e2fsck -E journal_only -p /dev/vg01/web1-backup', 'e2fsck -p /dev/vg01/web1-backup']);
  });
});

describe('copying an image', () => {
  it('tells how far it is, in the words of the real tool', async () => {
    const done: number[] = [];
    const host = scriptedHost((_, options) => {
      options.onOutput?.(recorded('qemu-img-convert'), 'stdout');
      return {};
    });
    await copyImage(host, {
      source: '/home/xen/domains/web1/disk.img',
      device: '/dev/vg01/web1-root',
      bytes: 1000,
      targetIsZero: true,
      onProgress: (bytes) => done.push(bytes),
    });
    expect(done.at(-1)).toBe(1000);
    expect(host.calls).toEqual([
      'qemu-img convert -p -n -t writeback -f raw -O raw --target-is-zero /home/xen/domains/web1/disk.img /dev/vg01/web1-root',
    ]);
    expect(parseShare('no share here')).toBeUndefined();
  });
});

describe('dump', () => {
  const usual = recorded('dump.stderr');

  it('finds nothing to warn of in what it says when all is well', () => {
    expect(parseDumpReport(usual)).toEqual({ warnings: [], done: true });
  });

  it('warns of each line that is not usual', () => {
    expect(
      parseDumpReport(`${usual}  DUMP: read error from /dev/loop0: Input/output error: [block 1234]: count=4096\n`).warnings,
    ).toHaveLength(1);
  });

  it('is not a backup when it ends well without saying that it is done; nothing is left of the file', async () => {
    const host = scriptedHost((command) =>
      command.startsWith('dump') ? { stderr: usual.replace('DUMP IS DONE', '') } : { stdout: 'bytes' },
    );
    await host.files.makeDirectory('/var/backups');
    await expect(dumpToFile(host, { device: '/dev/vg01/web1-backup', path: '/var/backups/a.dump.zst' })).rejects.toMatchObject({
      type: 'BackupUnusable',
    });
    expect(await host.files.list('/var/backups')).toEqual([]);
  });

  it('appears under its name only by commit', async () => {
    const host = scriptedHost((command) => (command.startsWith('dump') ? { stderr: usual } : { stdout: 'bytes' }));
    await host.files.makeDirectory('/var/backups');
    const written = await dumpToFile(host, { device: '/dev/vg01/web1-backup', path: '/var/backups/a.dump.zst' });
    expect(await host.files.info('/var/backups/a.dump.zst')).toBeUndefined();
    expect(written).toMatchObject({ bytes: 5, sha256: '277089d91c0bdf4f2e6862ba7e4a07605119431f5d13f726dd352b06f1b206a9' });
    await written.commit();
    await written.abort();
    expect(String(await host.files.read('/var/backups/a.dump.zst'))).toBe('bytes');
  });

  it('is listed by a restore that runs as nobody, and of its names only those that are wanted are returned', async () => {
    const host = scriptedHost((command) => ({ stdout: command.includes('restore') ? recorded('restore-list') : '' }));
    expect(await listDumpOn(host, '/var/backups/a.dump.zst')).toEqual([]);
    expect(host.calls[1]).toMatch(/^setpriv --reuid=65534 .* -- restore -t -f -$/);
    expect(await listDumpOn(host, '/var/backups/a.dump.zst', /./)).toEqual(['.', './lost+found', './a', './d', './d/lnk', './d/sp ace']);
  });

  it('is listed the same wherever its listing is cut into pieces', () => {
    const listing = Buffer.from(
      `Label: none\n         2\t.\n        12\t./etc/größe\n        13\t./etc/passwd\n        14\t./etc/passwd.bak`,
    );
    for (let at = 0; at <= listing.length; at += 1) {
      const search = searchListing(/^\.\/etc\/(größe|passwd)/);
      search.push(listing.subarray(0, at));
      search.push(listing.subarray(at));
      expect(search.end()).toEqual(['./etc/größe', './etc/passwd', './etc/passwd.bak']);
    }
  });

  it('of two million files is listed without keeping them, and so is one line without an end', async () => {
    const LINES = 1_000;
    const usedBytes = (): number => {
      setFlagsFromString('--expose-gc');
      (runInNewContext('gc') as () => void)();
      const { heapUsed, arrayBuffers } = process.memoryUsage();
      return heapUsed + arrayBuffers;
    };
    const text = Array.from({ length: LINES }, (_, index) => `${String(index + 11).padStart(10)}\t./srv/mail/cur/${String(index)}\n`).join(
      '',
    );
    let grown = 0;
    const host: Host = {
      ...scriptedHost(() => ({})),
      async pipeline(_, { sink }) {
        const before = usedBytes();
        for (let part = 0; part < 2_000_000 / LINES; part += 1) await sink(Buffer.from(text));
        await sink(Buffer.from(`        11\t./etc/passwd\n`.repeat(10_000)));
        for (let part = 0; part < 1_000; part += 1) await sink(Buffer.alloc(65_536, 'x'));
        grown = usedBytes() - before;
        return { stages: [], seconds: 0 };
      },
    };
    expect(await listDumpOn(host, '/var/backups/a.dump.zst')).toEqual(['./etc/passwd']);
    // Two million names would be more than a hundred; what else lives in this process comes and goes.
    expect(grown).toBeLessThan(2 ** 24);
  });

  it('is refused for file systems of which it would lose data', () => {
    expect(unsafeForDump(['has_journal', 'inline_data'])).toMatch(/inline_data/);
    expect(unsafeForDump(['bigalloc'])).toMatch(/bigalloc/);
    expect(unsafeForDump(parseFsInfo(recorded('dumpe2fs')).features)).toBeUndefined();
  });
});

describe('loop devices', () => {
  it('are read as losetup prints them', () => {
    expect(parseLoopDevices(recorded('losetup'))).toEqual([{ device: '/dev/loop0', file: '/srv/big.img', autoclear: false }]);
    expect(parseLoopDevices(recorded('losetup-none'))).toEqual([]);
    expect(parseLoopDevices('')).toEqual([]);
  });

  it.each(['No such device or address', 'No such file or directory'])('that are free already need not be detached: %s', async (why) => {
    const host = scriptedHost(() => ({ code: 1, stderr: `losetup: /dev/loop250: detach failed: ${why}\n` }));
    await detachLoop(host, '/dev/loop250');
    expect(host.calls).toEqual(['losetup --detach /dev/loop250']);
  });

  it('are counted, and found missing when losetup has none to give', async () => {
    const host = scriptedHost((command) =>
      command === 'losetup --find' ? { code: 1, stderr: 'losetup: cannot find an unused loop device' } : { stdout: recorded('losetup') },
    );
    await host.files.makeDirectory('/sys/module/loop/parameters');
    await host.files.writeAtomic('/sys/module/loop/parameters/max_loop', '8\n');
    expect(await freeLoopDevices(host)).toEqual({ available: false, maxLoop: 8, used: 1 });
  });
});
