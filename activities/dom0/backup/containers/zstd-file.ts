/**
 * A file of a directory that holds the content of a backup, compressed by zstd. The bytes of the file are summed (SHA-256); for its content, zstd keeps a
 * checksum (XXH64) in each frame, and tests it as it unpacks. The content itself does not pass through this process: it is ten times as much, most of it
 * zeros.
 */
import { createHash } from 'node:crypto';
import type { BackupEngine } from '../../../../contract/backup.ts';
import type { FileSink } from '../../../../system/host.ts';
import { ToolError, type PipelineOptions, type PipelineStage } from '../../../../system/run.ts';
import { checkedPath } from '../../tools/arguments.ts';
import { DIFFER, sameBytes } from '../../tools/same-bytes.ts';
import type { HandWork } from '../../work.ts';
import type { Container, Saved, Source, Written } from '../port.ts';
import { copyTo, DAY_MS, mustHave, unlike } from './to-disk.ts';

/** How the names of such files end, by the engine of what is in them. */
export const SUFFIXES = { blocks: '.img.zst', dump: '.dump.zst' } as const satisfies Readonly<Record<BackupEngine, string>>;

/** A sum of bytes, and how many they are. */
function newSum(): { readonly bytes: number; readonly add: (chunk: Uint8Array) => void; readonly end: () => Written } {
  const hash = createHash('sha256');
  let bytes = 0;
  return {
    get bytes() {
      return bytes;
    },
    add(chunk) {
      hash.update(chunk);
      bytes += chunk.byteLength;
    },
    end: () => ({ bytes, sha256: hash.digest('hex') }),
  };
}

export class ZstdFile implements Container {
  readonly title: string;
  readonly packages = ['zstd'];
  private readonly work: HandWork;
  private readonly mode: () => Promise<number>;
  private sink: FileSink | undefined;

  /** @param mode of a new file. Default: root alone reads it. */
  constructor(work: HandWork, path: string, mode = (): Promise<number> => Promise.resolve(0o600)) {
    this.work = work;
    this.title = path;
    this.mode = mode;
  }

  async pack({ stages: source, bytes }: Source, onWritten?: (bytes: number) => void): Promise<Written & { readonly stderr: string }> {
    const { host, signal } = this.work;
    const sink = (this.sink = await host.files.sink(this.title, await this.mode()));
    const file = newSum();
    const size = bytes === undefined ? [] : [`--stream-size=${String(bytes)}`];
    const { stages } = await host.pipeline([...source, { tool: 'zstd', args: ['-3', '-T0', '-q', '-c', ...size] }], {
      timeoutMs: DAY_MS,
      signal,
      sink: async (chunk) => {
        file.add(chunk);
        await sink.write(chunk);
        onWritten?.(file.bytes);
      },
    });
    return { ...file.end(), stderr: stages[0]?.stderr ?? '' };
  }

  async commit(): Promise<void> {
    await this.sink?.commit();
  }

  async abort(): Promise<void> {
    await this.sink?.abort();
  }

  async feed(stage: PipelineStage, options: Pick<PipelineOptions, 'sink' | 'cwd'>): Promise<void> {
    const { host, signal } = this.work;
    const unpack = { tool: 'zstd', args: ['-dcq', '--', checkedPath('backup', this.title)], mayBeCut: true } as const;
    await host.pipeline([unpack, stage], { timeoutMs: DAY_MS, signal, ...options });
  }

  async check(written: Written, contentBytes?: number): Promise<number> {
    const { work } = this;
    work.progress('reading the backup back');
    await this.mustBeTheFile(written);
    const bytes = await copyTo(undefined, this, (done) => {
      work.progress('reading the backup back', contentBytes === undefined ? undefined : done / contentBytes);
    });
    if (contentBytes !== undefined) mustHave(this, contentBytes, bytes);
    return bytes;
  }

  async unpackTo(saved: Saved, device: string, onProgress: (bytes: number) => void): Promise<void> {
    await this.mustBeTheFile(saved);
    mustHave(this, saved.dumpedBytes, await copyTo({ device }, this, onProgress));
    const compare = sameBytes(device, saved.dumpedBytes, (done) => {
      this.work.progress(`comparing ${device} with what was saved`, done / saved.dumpedBytes);
    });
    try {
      await this.feed(compare, { sink: () => undefined });
    } catch (error) {
      if (!(error instanceof ToolError) || error.tool !== compare.tool || error.code !== DIFFER) throw error;
      throw unlike(`what was restored to ${device}`, `is not what was saved: ${error.message}`);
    }
  }

  /** @throws BackupUnusable unless the file has the size and the sum of the one that was written */
  private async mustBeTheFile(written: Written): Promise<void> {
    const { host, signal } = this.work;
    const sum = newSum();
    const print = { tool: 'cat', args: ['--', checkedPath('backup', this.title)] };
    await host.pipeline([print], { timeoutMs: DAY_MS, signal, sink: sum.add });
    const found = sum.end();
    const other = (['bytes', 'sha256'] as const).find((key) => found[key] !== written[key]);
    if (other !== undefined) throw unlike(this.title, `is not what was written: ${other} is ${found[other]}, and was ${written[other]}`);
  }
}
