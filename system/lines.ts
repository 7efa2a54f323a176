/** Looks at text that comes in pieces, line by line. */

/** Takes the pieces of a text. */
export interface LineReader {
  push(text: string): void;
  /** The text is over: its last line may have no end. */
  end(): void;
}

/**
 * Tells each line as soon as it has an end. Only the unfinished one is kept.
 *
 * @param options `ends`: what ends a line. Default: line breaks, and the `\r` with which a tool goes back over its progress. `longest`: characters of an
 * unfinished line that are kept; what follows in it is dropped. Default: all.
 */
export function lineReader(
  onLine: (line: string) => void,
  { ends = /[\r\n]+/, longest = Infinity }: { readonly ends?: RegExp; readonly longest?: number } = {},
): LineReader {
  let rest = '';
  return {
    push(text) {
      const lines = (rest + text).split(ends);
      rest = (lines.pop() ?? '').slice(0, longest);
      lines.forEach(onLine);
    },
    end() {
      onLine(rest);
      rest = '';
    },
  };
}
