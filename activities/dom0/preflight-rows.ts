/** Rows of the preflight, as drivers and steps make them. */
import type { PreflightRow } from '../../contract/dom0.ts';

export function ok(row: string, found: string): PreflightRow {
  return { row, state: 'ok', found };
}

/** @param mend the command that puts it right, or the words that say how */
export function missing(row: string, found: string, mend: string): PreflightRow {
  return { row, state: 'missing', found, mend };
}

/** Guests can be made without it. */
export function warning(row: string, found: string, mend: string): PreflightRow {
  return { row, state: 'warning', found, mend };
}
