const CONTEXT = 3;
/** Above this many comparisons the changed middle is shown as one block. */
const MOST_COMPARISONS = 4_000_000;

interface Line {
  mark: ' ' | '-' | '+';
  text: string;
}

/** A unified diff of two texts; empty where they are the same. */
export function unifiedDiff(before: string, after: string, beforeName: string, afterName: string): string {
  if (before === after) return '';
  const lines = compare(linesOf(before), linesOf(after));
  return `--- ${beforeName}\n+++ ${afterName}\n${hunks(lines).join('')}`;
}

function linesOf(text: string): string[] {
  return text.match(/[^\n]*\n|[^\n]+$/g) ?? [];
}

function compare(before: readonly string[], after: readonly string[]): Line[] {
  let prefix = 0;
  while (prefix < before.length && prefix < after.length && before[prefix] === after[prefix]) prefix += 1;
  let suffix = 0;
  while (suffix < before.length - prefix && suffix < after.length - prefix && before.at(-1 - suffix) === after.at(-1 - suffix)) suffix += 1;
  const middle = compareMiddle(before.slice(prefix, before.length - suffix), after.slice(prefix, after.length - suffix));
  return [...marked(before.slice(0, prefix), ' '), ...middle, ...marked(suffix === 0 ? [] : before.slice(-suffix), ' ')];
}

function marked(lines: readonly string[], mark: Line['mark']): Line[] {
  return lines.map((text) => ({ mark, text }));
}

/** By the longest common subsequence. */
function compareMiddle(before: readonly string[], after: readonly string[]): Line[] {
  if (before.length * after.length > MOST_COMPARISONS) return [...marked(before, '-'), ...marked(after, '+')];
  const width = after.length + 1;
  const longest = new Uint32Array((before.length + 1) * width);
  for (let row = before.length - 1; row >= 0; row -= 1) {
    for (let column = after.length - 1; column >= 0; column -= 1) {
      const below = longest[(row + 1) * width + column] ?? 0;
      const right = longest[row * width + column + 1] ?? 0;
      const both = (longest[(row + 1) * width + column + 1] ?? 0) + 1;
      longest[row * width + column] = before[row] === after[column] ? both : Math.max(below, right);
    }
  }
  const lines: Line[] = [];
  let [row, column] = [0, 0];
  while (row < before.length || column < after.length) {
    const [old, fresh] = [before[row], after[column]];
    if (old !== undefined && old === fresh) {
      lines.push({ mark: ' ', text: old });
      row += 1;
      column += 1;
    } else if (
      old !== undefined &&
      (fresh === undefined || (longest[(row + 1) * width + column] ?? 0) >= (longest[row * width + column + 1] ?? 0))
    ) {
      lines.push({ mark: '-', text: old });
      row += 1;
    } else {
      lines.push({ mark: '+', text: fresh ?? '' });
      column += 1;
    }
  }
  return lines;
}

function hunks(lines: readonly Line[]): string[] {
  const result: string[] = [];
  let [oldLine, newLine, at] = [1, 1, 0];
  while (at < lines.length) {
    const first = lines.findIndex(({ mark }, index) => index >= at && mark !== ' ');
    if (first === -1) break;
    const start = Math.max(at, first - CONTEXT);
    const end = hunkEnd(lines, first);
    oldLine += start - at;
    newLine += start - at;
    const hunk = lines.slice(start, end);
    const oldCount = hunk.filter(({ mark }) => mark !== '+').length;
    const newCount = hunk.filter(({ mark }) => mark !== '-').length;
    result.push(
      `@@ -${oldCount === 0 ? oldLine - 1 : oldLine},${oldCount} +${newCount === 0 ? newLine - 1 : newLine},${newCount} @@\n${hunk.map(written).join('')}`,
    );
    oldLine += oldCount;
    newLine += newCount;
    at = end;
  }
  return result;
}

/** Two changes are in one hunk if their contexts touch. */
function hunkEnd(lines: readonly Line[], first: number): number {
  let last = first;
  for (let index = first; index < lines.length && index <= last + 2 * CONTEXT; index += 1) if (lines[index]?.mark !== ' ') last = index;
  return Math.min(lines.length, last + 1 + CONTEXT);
}

function written({ mark, text }: Line): string {
  return text.endsWith('\n') ? mark + text : `${mark}${text}\n\\ No newline at end of file\n`;
}
