/** Cursors of lists: nothing but what was given out is taken back. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { openCursor, signCursor, type CursorScope } from '../../../../gateway/v1/cursor.ts';
import { HttpRefusal } from '../../../../system/http/problem.ts';

const SCOPE: CursorScope = { token: 'a'.repeat(64), filters: { phase: 'running', dom0: undefined } };
const PAGE = Buffer.from('{"CloseTime":"9999-12-31T23:59:59Z","RunID":"01a2241d"}').toString('base64url');
const NOW = Date.parse('2026-01-31T12:00:00Z');
const CURSOR = signCursor(PAGE, SCOPE, NOW);

function reasonOf(cursor: string, scope = SCOPE, now = NOW): unknown {
  try {
    openCursor(cursor, scope, now);
    return undefined;
  } catch (error) {
    expect(error).toBeInstanceOf(HttpRefusal);
    const { status, extra } = error as HttpRefusal;
    expect([status, extra['field']]).toEqual([422, 'cursor']);
    return extra['reason'];
  }
}

describe('a cursor', () => {
  it('gives back the page token that it was made of, whatever that is', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 400 }), (bytes) => {
        const page = Buffer.from(bytes).toString('base64url');
        return openCursor(signCursor(page, SCOPE, NOW), SCOPE, NOW) === page;
      }),
    );
  });

  it('is taken for a day', () => {
    expect(reasonOf(CURSOR, SCOPE, NOW + 86_000_000)).toBeUndefined();
    expect(reasonOf(CURSOR, SCOPE, NOW + 87_000_000)).toContain('older than a day');
  });

  it('of other filters is refused, be it in either direction', () => {
    expect(reasonOf(CURSOR, { ...SCOPE, filters: {} })).toContain('other filters');
    expect(reasonOf(signCursor(PAGE, { ...SCOPE, filters: {} }, NOW))).toContain('other filters');
    expect(reasonOf(CURSOR, { ...SCOPE, filters: { dom0: 'running' } })).toContain('other filters');
  });

  it('of another bearer token is refused', () => {
    expect(reasonOf(CURSOR, { ...SCOPE, token: 'b'.repeat(64) })).toContain('no cursor');
  });

  it('that was changed in any character is refused', () => {
    fc.assert(
      fc.property(fc.nat(CURSOR.length - 1), fc.constantFrom('A', 'B', 'x', 'z', '0', '9', '-', '_'), (at, character) => {
        const changed = `${CURSOR.slice(0, at)}${character}${CURSOR.slice(at + 1)}`;
        return changed === CURSOR || reasonOf(changed) !== undefined;
      }),
    );
  });

  it.each([['abc'], ['e30'], ['bnVsbA'], [PAGE], [CURSOR.slice(0, -1)], [`${CURSOR}A`], [CURSOR.slice(0, 20)], ['A'.repeat(2_000)]])(
    'that is none is refused: %s',
    (cursor) => {
      expect(reasonOf(cursor)).toContain('no cursor');
    },
  );
});
