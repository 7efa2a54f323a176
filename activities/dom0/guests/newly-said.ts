/** What the toolstack says of a cfg file, against what it says of the file that this one was made from. */

/** What was said of a file, line by line. */
export interface SaidOfCfg {
  readonly lines: readonly string[];
  readonly path: string;
}

/** Some lines begin with the file's path and the number of a line in it: both are other ones in a copy that was edited. */
function withoutPlace(line: string, path: string): string {
  return line.replaceAll(path, 'cfg').replace(/^cfg:\d+:/, 'cfg:');
}

/** The lines that xl says of a file and did not say, or not as often, of the one that it was made from. */
export function newlySaid(now: SaidOfCfg, before: SaidOfCfg): string[] {
  const known = before.lines.map((line) => withoutPlace(line, before.path));
  return now.lines.filter((line) => {
    const index = known.indexOf(withoutPlace(line, now.path));
    if (index !== -1) known.splice(index, 1);
    return index === -1;
  });
}
