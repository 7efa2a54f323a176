/** Zip files as functions are deployed from: the same bytes from the same files, on every machine. */
import { zipSync } from 'fflate';

/** Files of a package, by their names in it. */
export type PackageFiles = Readonly<Record<string, Uint8Array>>;

/** MS-DOS times have no zone: fflate writes the parts of a date as this machine's clock shows them. */
const MODIFIED = new Date(2025, 0, 1);
const UNIX = 3;
/** A regular file that everybody may read: functions run as a user of their own. */
const MODE = 0o100644;

/** Packs in JavaScript: zlib's output differs from one release of Node to the next. */
export function zip(files: PackageFiles): Uint8Array {
  const options = { mtime: MODIFIED, os: UNIX, attrs: MODE << 16, level: 6 } as const;
  const names = Object.keys(files).sort();
  return zipSync(Object.fromEntries(names.map((name) => [name, [files[name] ?? new Uint8Array(), options]])));
}
