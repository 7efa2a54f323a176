/** What e2image says while it works: how far it is, or what it could not do. Its words are those of e2fsprogs 1.47. */
import { describe, expect, it } from 'vitest';
import { listenTo } from '../../../../../activities/dom0/backup/engines/blocks.ts';

const BANNER = 'e2image 1.47.0 (5-Feb-2023)\nScanning inodes...\n';
const BACK = '\b'.repeat(60);

function heard(text: string, size = text.length): { progress: string[]; complaints: string[] } {
  const progress: string[] = [];
  const said = listenTo((copied, all) => progress.push(`${String(copied)}/${String(all)}`));
  for (let at = 0; at < text.length; at += size) said.onStderr(text.slice(at, at + size));
  return { complaints: said.complaints(), progress };
}

describe('e2image', () => {
  it.each([1, 7, 64, 10_000])('is told from its progress by pieces of %i bytes, whatever it counts', (size) => {
    const text = `${BANNER}Copying 0 / 410657 blocks (0%)${BACK}90139 / 410657 blocks (22%)${BACK}390171 / 410657 blocks (95%) 00:00:00 remaining at 254.02 MB/s${BACK}Copied 410657 / 410657 blocks (100%) in 00:09:08 at 0.35 MB/s       \n`;
    expect(heard(text, size)).toEqual({ progress: ['0/410657', '90139/410657', '390171/410657', '410657/410657'], complaints: [] });
  });

  it('has no complaint when it is done in less than a second', () => {
    expect(heard(`${BANNER}Copying Copied 1115 / 1115 blocks (100%) in 00:00:00        \n`.replace('Copying ', '')).complaints).toEqual([]);
  });

  it.each([
    'e2image: Input/output error while reading block 17',
    '17 / 1115 blocks (1%)e2image: Input/output error while reading block 17',
    'error reading block 17',
  ])('has a complaint, which is heard: %s', (words) => {
    expect(
      heard(`${BANNER}Copying 0 / 1115 blocks (0%)${BACK}${words}\nCopied 1115 / 1115 blocks (100%) in 00:00:00\n`).complaints,
    ).toEqual([words]);
  });

  it('may complain of each block of a broken disk, and the first complaints are kept', () => {
    expect(heard(`${BANNER}${'error reading block 17\n'.repeat(100_000)}`).complaints).toHaveLength(5);
  });
});
