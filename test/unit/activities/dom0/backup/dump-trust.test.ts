/** What dump is not trusted with. */
import { describe, expect, it } from 'vitest';
import { searchNames, spoiltFile, unsafeForDump, usedInodes } from '../../../../../activities/dom0/backup/engines/dump-trust.ts';

const GiB = 2 ** 30;
const OF_ITS_TIME = ' mtime: 0x6b0c0622:604e104c -- Sun Nov 29 11:01:54 2026\n';

function namesOf(text: string): string | undefined {
  const names = searchNames();
  for (const byte of Buffer.from(text, 'latin1')) names.push(Buffer.from([byte]));
  return names.end();
}

describe('dump', () => {
  it('is trusted with features that it was tried with, and with no other', () => {
    expect(unsafeForDump('has_journal ext_attr extent 64bit metadata_csum orphan_file'.split(' '))).toBeUndefined();
    for (const feature of [
      'inline_data',
      'bigalloc',
      'encrypt',
      'casefold',
      'verity',
      'project',
      'quota',
      'ea_inode',
      'mmp',
      'of_next_year',
    ])
      expect(unsafeForDump(['has_journal', feature])).toContain(feature);
    expect(unsafeForDump(['extent'])).toContain('journal');
  });

  it('is not trusted with extents that were never written, dates and devices that it cannot keep, and files larger than their file system', () => {
    expect(spoiltFile(`${OF_ITS_TIME}EXTENTS:\n(0-3):8451-8454, (4):8460\n`, GiB)).toBeUndefined();
    expect(spoiltFile(`${OF_ITS_TIME}EXTENTS:\n(0-3):8451-8454, (4[u]):8460\n`, GiB)).toMatch(/never written/);
    expect(spoiltFile('EXTENTS:\n(0-5119[u]):8451-13570\n', GiB)).toMatch(/never written/);
    expect(spoiltFile(' mtime: 0x80000001:00000000 -- 1901\n', GiB)).toMatch(/dates/);
    expect(spoiltFile(' atime: 0x2a05f200:00000001 -- 2128\n', GiB)).toMatch(/dates/);
    expect(spoiltFile(' mtime: 0x80000001 -- of an inode of 128 bytes\n', GiB)).toMatch(/dates/);
    expect(spoiltFile('(New-style) Device major/minor number: 259:70000 (hex 103:11170)\n', GiB)).toMatch(/devices/);
    expect(spoiltFile('(Old-style) Device major/minor number: 08:01 (hex 08:01)\n', GiB)).toBeUndefined();
    expect(spoiltFile(`User:     0   Group:     0   Project:     0   Size: ${GiB + 1}\n`, GiB)).toMatch(/larger/);
    expect(spoiltFile(`User:     0   Group:     0   Project:     0   Size: ${GiB}\n`, GiB)).toBeUndefined();
  });

  it('is not trusted with a name that it loses, nor where a name could hide one', () => {
    expect(namesOf(`//etc: 1 contiguous extents (dir)\n//etc/${'n'.repeat(254)}: 1 contiguous extents\n\n`)).toBeUndefined();
    expect(namesOf(`//etc/${'n'.repeat(255)}: 1 contiguous extents\n`)).toMatch(/255 bytes/);
    expect(namesOf(`//etc/${'n'.repeat(255)}/a: 0 contiguous extents\n`)).toMatch(/255 bytes/);
    expect(namesOf('//a\nb: 1 contiguous extents\n')).toMatch(/line breaks/);
    expect(namesOf(`//${'x/'.repeat(40_000)}`)).toMatch(/64 KiB/);
  });

  it('is asked about the inodes that are in use: all but those that dumpe2fs tells to be free', () => {
    const text = 'Inode count:              40\n  Free inodes: 13-20\n  Free inodes: 21-23, 25, 30-39\n';
    expect([...usedInodes(text)]).toEqual([11, 12, 24, 26, 27, 28, 29, 40]);
    expect([...usedInodes('Inode count:              12\n  Free inodes: \n')]).toEqual([11, 12]);
  });
});
