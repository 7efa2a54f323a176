/**
 * An archive in a guest's borg repository that holds the content of a backup. The content is summed (SHA-256) on its way in, and again each time that it is
 * read; it does not pass through this process.
 */
import { ToolError, type PipelineOptions, type PipelineStage } from '../../../../system/run.ts';
import { checkedBytes, checkedPath } from '../../tools/arguments.ts';
import type { Borg } from '../../tools/borg.ts';
import type { HandWork } from '../../work.ts';
import type { Container, Saved, Source, Written } from '../port.ts';
import { copyTo, DAY_MS, mustHave, unlike } from './to-disk.ts';

const SUM = { tool: 'openssl', args: ['dgst', '-sha256', '-r'] };

export class BorgArchive implements Container {
  readonly title: string;
  readonly packages = ['borgbackup'];
  private readonly work: HandWork;
  private readonly borg: Borg;
  private readonly archive: string;
  private isUnfinished = false;

  constructor(work: HandWork, borg: Borg, archive: string) {
    this.work = work;
    this.borg = borg;
    this.archive = archive;
    this.title = `${borg.place.repository}::${archive}`;
  }

  async pack({ stages }: Source, onWritten?: (bytes: number) => void): Promise<Written & { readonly stderr: string }> {
    let stderr = '';
    this.isUnfinished = true;
    const { addedBytes: bytes, sha256 } = await this.borg.create(this.archive, stages, {
      onAdded: onWritten,
      // Both have one standard error here: who listens to the last one hears all of it.
      onStderr:
        stages.at(-1)?.onStderr ??
        ((text) => {
          stderr += text;
        }),
    });
    return { bytes, sha256, stderr };
  }

  commit(): Promise<void> {
    this.isUnfinished = false;
    return Promise.resolve();
  }

  /** An archive that a failed attempt has left is removed by the next one, too. */
  async abort(): Promise<void> {
    if (!this.isUnfinished || this.work.signal.aborted) return;
    if ((await this.borg.archives()).includes(this.archive)) await this.borg.remove([this.archive]);
  }

  async feed(stage: PipelineStage, options: Pick<PipelineOptions, 'sink' | 'cwd'>): Promise<void> {
    await this.borg.extract(this.archive, stage, options);
  }

  async check(written: Written, contentBytes?: number): Promise<number> {
    this.work.progress('reading the backup back');
    const sum = newSum();
    let bytes = 0;
    await this.readable(
      this.borg.extract(this.archive, SUM, {
        sink: sum.push,
        onProgress: (done, all) => {
          bytes = all;
          this.work.progress('reading the backup back', done / Math.max(all, 1));
        },
      }),
    );
    this.mustBeWritten(this.title, sum.end(), written);
    if (contentBytes !== undefined) mustHave(this, contentBytes, bytes);
    return bytes;
  }

  async unpackTo(saved: Saved, device: string, onProgress: (bytes: number) => void): Promise<void> {
    mustHave(this, saved.dumpedBytes, await this.readable(copyTo({ device }, this, onProgress)));
    this.work.progress(`comparing ${device} with what was saved`);
    const sum = newSum();
    const head = { tool: 'head', args: ['-c', String(checkedBytes('bytes', saved.dumpedBytes)), '--', checkedPath('device', device)] };
    const { host, signal } = this.work;
    await host.pipeline([head, SUM], { timeoutMs: DAY_MS, signal, sink: sum.push });
    this.mustBeWritten(`what was restored to ${device}`, sum.end(), saved);
  }

  private mustBeWritten(title: string, found: string, { sha256 }: Written): void {
    if (found !== sha256) throw unlike(title, `is not what was saved: the sha256 of its content is ${found}, and was ${sha256}`);
  }

  /** What borg cannot read is no backup. */
  private async readable<T>(reading: Promise<T>): Promise<T> {
    return await reading.catch((error: unknown) => {
      if (!(error instanceof ToolError) || error.tool !== 'flock' || error.cancelled || error.code === undefined) throw error;
      throw unlike(this.title, `cannot be read: ${error.message}`);
    });
  }
}

/** The sum that openssl prints. */
function newSum(): { readonly push: (chunk: Uint8Array) => void; readonly end: () => string } {
  let text = '';
  return {
    push(chunk) {
      text += Buffer.from(chunk).toString('latin1');
    },
    end: () => /^[0-9a-f]{64}(?= \*)/.exec(text)?.[0] ?? 'none',
  };
}
