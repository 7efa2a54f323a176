/** Rewrites a Debian package without compression: the same package, but dom0 need not unpack xz under emulation. */
import { open, stat, type FileHandle } from 'node:fs/promises';
import path from 'node:path';
import type { Runner } from '../system/run.ts';

function memberHeader(name: string, bytes: number): string {
  return `${name.padEnd(16)}${'0'.padEnd(12)}${'0'.padEnd(6)}${'0'.padEnd(6)}${'100644'.padEnd(8)}${String(bytes).padEnd(10)}\`\n`;
}

async function appendMember(file: FileHandle, name: string, fill: () => Promise<void>): Promise<void> {
  const headerAt = (await file.stat()).size;
  await file.write(memberHeader(name, 0), headerAt);
  await fill();
  const bytes = (await file.stat()).size - headerAt - memberHeader(name, 0).length;
  await file.write(memberHeader(name, bytes), headerAt);
  // ar(5): members begin at even offsets.
  if (bytes % 2 === 1) await file.write('\n', headerAt + memberHeader(name, 0).length + bytes);
}

/** Writes the package `source` to `target` with its control and data members as plain tar archives. */
export async function unpackDeb(runner: Runner, source: string, target: string): Promise<void> {
  await stat(source);
  const file = await open(target, 'w', 0o600);
  try {
    await file.write('!<arch>\n');
    await appendMember(file, 'debian-binary', async () => {
      await file.write('2.0\n', (await file.stat()).size);
    });
    for (const [name, verb] of [
      ['control.tar', '--ctrl-tarfile'],
      ['data.tar', '--fsys-tarfile'],
    ] as const) {
      await appendMember(file, name, async () => {
        let at = (await file.stat()).size;
        await runner.pipeline([{ tool: 'dpkg-deb', args: [verb, path.resolve(source)] }], {
          sink: async (chunk) => {
            at += (await file.write(chunk, 0, chunk.length, at)).bytesWritten;
          },
        });
      });
    }
  } finally {
    await file.close();
  }
}
