/** Compares what xl says of a cfg file with what it says of the file from which that one was made. */

/** What was said of a file, line by line. */
export interface SaidOfCfg {
  readonly lines: readonly string[];
  readonly path: string;
}

/** Without the file's path and line number, with which some lines begin: both differ in an edited copy. */
function withoutPlace(line: string, path: string): string {
  return line.replaceAll(path, 'cfg').replace(/^cfg:\d+:/, 'cfg:');
}

/** The lines that xl prints for a file more often than for the file from which it was made. */
export function newlySaid(now: SaidOfCfg, before: SaidOfCfg): string[] {
  const known = before.lines.map((line) => withoutPlace(line, before.path));
  return now.lines.filter((line) => {
    const index = known.indexOf(withoutPlace(line, now.path));
    if (index !== -1) known.splice(index, 1);
    return index === -1;
  });
}
