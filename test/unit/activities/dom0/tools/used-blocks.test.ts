/** What the copy of a file system's used blocks says while it works: how far it is, or what it could not do. */
import { describe, expect, it } from 'vitest';
import { usedBlocks } from '../../../../../activities/dom0/tools/used-blocks.ts';

const FS = { uuid: 'x', state: 'clean', features: [], blockSize: 4096, blocks: 1000, freeBlocks: 400, errors: 0 };
const BANNER = 'dumpe2fs 1.47.0 (5-Feb-2023)\n';

function heard(texts: readonly [bitmap: string, copy: string], size = 10_000): { read: number[]; complaints: readonly string[] } {
  const read: number[] = [];
  const source = usedBlocks('/dev/vg01/web1-backup', FS, (bytes) => read.push(bytes));
  source.stages.forEach(({ onStderr }, stage) => {
    const text = texts[stage] ?? '';
    for (let at = 0; at < text.length; at += size) onStderr?.(text.slice(at, at + size));
  });
  return { read, complaints: source.complaints() };
}

describe('the copy of used blocks', () => {
  it.each([1, 7, 64, 10_000])('tells how far it is, by pieces of %i bytes', (size) => {
    expect(heard([BANNER, 'read 1048576\nread 9437184\n'], size)).toEqual({ read: [1_048_576, 9_437_184], complaints: [] });
  });

  it('has complaints, whichever of its two processes has them', () => {
    expect(
      heard([`${BANNER}dumpe2fs: Bad magic number\n`, 'read 1\ncannot read /dev/x between block 1 and block 9: Input/output error'])
        .complaints,
    ).toEqual(['dumpe2fs: Bad magic number', 'cannot read /dev/x between block 1 and block 9: Input/output error']);
  });

  it('may complain of each block of a broken disk, and the first complaints are kept', () => {
    expect(heard([`${BANNER}${'error reading block 17\n'.repeat(100_000)}`, '']).complaints).toHaveLength(5);
  });

  it('refuses a path that a tool would take for an option', () => {
    expect(() => usedBlocks('-x', FS, () => undefined)).toThrow();
  });
});
