import { describe, expect, it } from 'vitest';
import { LONGEST_DOCUMENT, parseDocument } from '../../../order/document.ts';
import { GuestflowError } from '../../../contract/errors.ts';

function parse(text: string | Uint8Array): unknown {
  return parseDocument(typeof text === 'string' ? Buffer.from(text) : text, 'order.yaml');
}

function refusal(text: string | Uint8Array): string {
  try {
    parse(text);
  } catch (error) {
    if (error instanceof GuestflowError && error.type === 'InvalidInput') return error.message;
    throw error;
  }
  throw new Error('it was taken');
}

describe('a document', () => {
  it.each([
    ['name: guest1\nvcpus: 2\n', { name: 'guest1', vcpus: 2 }],
    ['{"name": "guest1", "extra": ["a", "b"], "managed": true}', { name: 'guest1', extra: ['a', 'b'], managed: true }],
    // YAML 1.1 would read these as base-60 numbers and booleans.
    ['mac: 00:16:3E:00:00:01\nat: 02:30\nname: no', { mac: '00:16:3E:00:00:01', at: '02:30', name: 'no' }],
    ['name: !!str 17', { name: '17' }],
    ['\uFEFFname: x', { name: 'x' }],
  ])('%j is read', (text, value) => {
    expect(parse(text)).toEqual(value);
  });

  it.each([
    ['a: 1\na: 2', /order\.yaml, line 2, column 1: .*unique/],
    ['a: [1,', /line 1/],
    ['a:\n\tb: 1', /line 2, column 1: Tabs/],
    ['a: "x', /line 1, column 6/],
    ['a: !!js/function x', /line 1, column 4: .*tag/],
    ['a: !foo x', /tag/],
    ['a: &x 1\nb: 2', /anchors/],
    ['a: &x [1]\nb: *x', /anchors/],
    ['a: 1\n---\nb: 2', /second document/],
    ['? [a]\n: 1', /keys must be plain words/],
    ['1: 2', /keys must be plain words/],
    ['', /empty/],
    ['# nothing', /empty/],
    [Buffer.from([0x61, 0x3a, 0x20, 0xff]), /UTF-8/],
    ['a'.repeat(LONGEST_DOCUMENT + 1), /256 KiB/],
  ])('%j is refused', (text, reason) => {
    expect(refusal(text)).toMatch(reason);
  });

  it('of nested aliases is refused before it grows', () => {
    const levels = Array.from(
      { length: 30 },
      (_, level) => `l${String(level + 1)}: &l${String(level + 1)} [*l${String(level)}, *l${String(level)}]`,
    );
    expect(refusal(['l0: &l0 [x, x]', ...levels].join('\n'))).toMatch(/anchors and aliases/);
  });

  it.each([
    ['lists', '['.repeat(40) + ']'.repeat(40)],
    ['lists that nobody could read', '['.repeat(20_000)],
    ['objects', '{"a":'.repeat(3_000) + '1' + '}'.repeat(3_000)],
    ['lists in lines', `${'- '.repeat(2_000)}x`],
  ])('of %s in each other, too deep, is refused in words', (_what, text) => {
    expect(refusal(text)).toMatch(/^order\.yaml, line 1, column \d+: lists and objects are nested deeper than 32 levels$/);
  });

  it('may have 32 levels', () => {
    expect(parse('['.repeat(32) + ']'.repeat(32))).toHaveLength(1);
  });

  it('cannot reach a prototype', () => {
    const value = parse('__proto__: {polluted: 1}');
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
    expect(({} as { polluted?: number }).polluted).toBeUndefined();
  });
});
