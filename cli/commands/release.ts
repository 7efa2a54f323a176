/** The option that names a Debian release of the lab. */
import { InvalidArgumentError } from 'commander';
import type { Release } from '../../lab/releases.ts';

/** The same as the lab's own list, which is not loaded for a help text; the compiler holds both together. */
const RELEASES: Readonly<Record<Release, true>> = { bookworm: true, trixie: true };

/** Reads the option's value. */
export function release(text: string): Release {
  if (!Object.hasOwn(RELEASES, text)) throw new InvalidArgumentError(`use ${Object.keys(RELEASES).join(' or ')}`);
  return text as Release;
}
