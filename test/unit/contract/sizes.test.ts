import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { whyNotSize } from '../../../contract/field-checks.ts';
import { formatSize, GiB, MiB, parseSize } from '../../../contract/sizes.ts';

describe('a size', () => {
  it.each([
    ['512Mb', 512 * MiB],
    ['8Gb', 8 * GiB],
    ['512M', 512 * MiB],
    ['8GiB', 8 * GiB],
    ['1.5GiB', 1536 * MiB],
    ['2g', 2 * GiB],
    ['1024Kb', MiB],
    ['1T', 1024 * GiB],
    [' 4GB ', 4 * GiB],
  ])('%s is read', (text, bytes) => {
    expect(parseSize(text)).toBe(bytes);
  });

  it.each([
    '',
    '8',
    '8B',
    '-8Gb',
    '8 Gb b',
    '8Gbit',
    '0Gb',
    '1.0000001Mb',
    '1e3Mb',
    '9999999999T',
    '1kb',
    'Gb',
    '8Gb;',
    '0x8Gb',
    '08Gb',
    '\u00a08Gb',
    '8Gb\n',
  ])('%j is none', (text) => {
    expect(parseSize(text)).toBeUndefined();
  });

  it('in whole MiB is written and read back as itself when it has no fraction', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 1023 }),
        fc.constantFrom(MiB, GiB),
        (count, unit) => parseSize(formatSize(count * unit)) === count * unit,
      ),
    );
  });

  it('without a unit is refused with the two that may be meant', () => {
    expect(whyNotSize('memory')('512')).toContain('"512MiB" or "512GiB"');
  });

  it.each([
    ['memory', '255MiB', /less than 256 MiB/],
    ['memory', '2T', /more than 512 GiB/],
    ['disk', '512Mb', /less than 1 GiB/],
    ['disk', '17T', /more than 16 TiB/],
    ['disk', '2049MiB', /multiple of 4 MiB/],
    ['swap', '8Mb', /less than 16 MiB/],
    ['swap', 'none', /no size/],
  ] as const)('of %s: %s is refused', (kind, text, reason) => {
    expect(whyNotSize(kind)(text)).toMatch(reason);
  });
});
