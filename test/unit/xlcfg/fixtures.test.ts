import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { XluReading } from '../../fixtures/xlu/oracle.ts';
import { settingsOf } from '../../../xlcfg/document.ts';
import { CfgError, parseCfg, parseDiskSpec, showCfg } from '../../../xlcfg/index.ts';
import type { CfgDocument } from '../../../xlcfg/index.ts';
import { plainOfSetting } from '../../../xlcfg/splice.ts';

const folder = join(import.meta.dirname, '../../fixtures/cfg');
const names = readdirSync(folder)
  .filter((name) => name.endsWith('.cfg'))
  .map((name) => name.slice(0, -'.cfg'.length));
const bytesOfFixture = (name: string): Uint8Array => readFileSync(join(folder, `${name}.cfg`));
const readingOf = (name: string): XluReading => JSON.parse(readFileSync(join(folder, `${name}.xlu.json`), 'utf8')) as XluReading;

function effective(document: CfgDocument): Record<string, unknown> {
  return Object.fromEntries([...settingsOf(document)].map(([key, setting]) => [key, plainOfSetting(setting)]));
}

function errorOf(name: string): CfgError {
  try {
    parseCfg(bytesOfFixture(name));
  } catch (error) {
    if (error instanceof CfgError) return error;
    throw error;
  }
  throw new Error(`${name} was not refused`);
}

describe('every real-world cfg reads as libxlutil of Xen 4.17 reads it', () => {
  test.each(names.filter((name) => readingOf(name).ok))('%s', (name) => {
    const reading = readingOf(name);
    if (!reading.ok) throw new Error('unreachable');
    const document = parseCfg(bytesOfFixture(name));
    expect(effective(document)).toEqual(reading.keys);
    for (const [index, expected] of reading.disks.entries()) {
      const spec = (reading.keys['disk'] as string[])[index] ?? '';
      const { disk } = parseDiskSpec(spec);
      if (expected.ok) expect({ ...disk, prefix: undefined }).toEqual({ ...expected.disk, error: null });
      else expect(disk.error).not.toBeNull();
    }
  });
});

describe('what libxlutil refuses is refused, at the line that it names', () => {
  test.each(names.filter((name) => !readingOf(name).ok && name !== 'crlf'))('%s', (name) => {
    const reading = readingOf(name);
    if (reading.ok) throw new Error('unreachable');
    expect(errorOf(name).line).toBe(Number(/^cfg:(\d+):/.exec(reading.message)?.[1]));
  });

  test.each([
    ['refused-bareword', 8, /"guest1" is not in quotes/],
    ['refused-bom', 1, /byte order mark/],
    ['refused-capitals', 1, /small letters/],
    ['refused-comment-without-newline', 1, /must end with a newline/],
    ['refused-hex-escape', 11, /\\x escape/],
    ['refused-missing-separator', 12, /new line or ";"/],
    ['refused-mixed-addition', 6, /a string cannot be added/],
    ['refused-negative', 18, /negative number/],
    ['refused-open-list', 1, /"\]" is missing/],
    ['refused-open-string', 10, /not closed/],
    ['refused-python-format', 21, /Python formatting/],
    ['refused-python-import', 8, /Python/],
    ['refused-unit', 13, /quote the value/],
  ])('%s: column %i, and a reason to act on', (name, column, reason) => {
    const error = errorOf(name);
    expect(error.column).toBe(column);
    expect(error.reason).toMatch(reason);
  });
});

describe('cfg show', () => {
  const show = (name: string): ReturnType<typeof showCfg> => showCfg(parseCfg(bytesOfFixture(name)));

  test('takes disks and vifs of xen-tools apart, stray blank included', () => {
    const { keys, disks, vifs, problems } = show('xen-tools-4.9');
    expect(keys).toMatchObject({ memory: 512, vcpus: 1, name: 'guest1', on_crash: 'restart' });
    expect(disks[0]).toEqual({
      target: '/home/xen/domains/guest1/disk.img',
      format: 'raw',
      vdev: 'xvda2',
      access: 'rw',
      backendtype: null,
      devtype: 'disk',
      script: null,
      backend: null,
      prefix: 'file',
      error: null,
      raw: 'file:/home/xen/domains/guest1/disk.img,xvda2,w',
    });
    expect(vifs[0]).toMatchObject({ ip: ['192.168.77.11'], mac: '00:16:3E:A3:69:9C', bridge: 'xenbr0' });
    expect(problems).toEqual([]);
  });

  test('the last of duplicates counts, and additions are applied', () => {
    const { keys, disks, vifs } = show('duplicates');
    expect(keys).toMatchObject({ name: 'second', memory: 1024, kernel: '/boot/new', extra: 'quiet clocksource=tsc' });
    expect(disks.map(({ vdev }) => vdev)).toEqual(['xvda1', 'xvda2', 'xvda3']);
    expect(vifs.map(({ bridge }) => bridge)).toEqual(['xenbr0', 'xenbr1']);
  });

  test('says what xl drops or misreads, with the place', () => {
    const { keys, disks, problems } = show('misread');
    expect(keys['memory']).toBe(330);
    expect(disks).toEqual([]);
    const found = problems.map(({ key, line, effect }) => `${line} ${key} ${effect}`);
    expect(found).toEqual([
      '1 name warning',
      '4 vcpus dropped',
      '5 vcpu dropped',
      '7 cpu_weight dropped',
      '8 disk dropped',
      '9 vif misread',
      '9 vif dropped',
      '9 vif dropped',
      '9 vif misread',
      '10 localtime dropped',
      '11 memory warning',
      '11 memory misread',
      '11 memory fails',
    ]);
    expect(problems.find(({ reason }) => reason.includes('brigde'))?.reason).toContain('was bridge= meant?');
    expect(problems.find(({ key }) => key === 'vcpu')?.reason).toContain('was vcpus meant?');
  });

  test('a hexadecimal number is a number, a quoted negative one too', () => {
    expect(show('windows-hvm').keys).toMatchObject({ videoram: 16, rtc_timeoffset: -3600, vcpus: 4, maxvcpus: 4 });
  });

  test('cmdline makes xl overlook root and extra', () => {
    expect(show('pvh-cmdline').problems.map(({ key, effect }) => [key, effect])).toEqual([
      ['root', 'dropped'],
      ['extra', 'dropped'],
    ]);
  });

  test('CRLF is read, with one problem that says that xl refuses it', () => {
    const { keys, problems } = show('crlf');
    expect(keys).toEqual({ name: 'dos', memory: 512, kernel: '/boot/k', disk: ['phy:/dev/vg01/dos,xvda,w'] });
    expect(problems).toMatchObject([{ line: 2, column: 13, effect: 'refused' }]);
    expect(show('crlf-in-comments').problems).toEqual([]);
  });

  test('values of a Latin-1 file are decoded as Latin-1, of others as UTF-8', () => {
    expect(show('latin1').keys['extra']).toBe('kunde=Müller');
    expect(show('utf8').keys['extra']).toBe('kunde=Müller');
  });

  test('an empty drive is a cdrom without a target', () => {
    expect(show('windows-hvm').disks[1]).toMatchObject({ vdev: 'hdc', devtype: 'cdrom', format: 'empty', access: 'ro' });
  });
});
