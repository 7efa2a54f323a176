/** Where downloads and built things are kept between runs, and shared between checkouts. */
import { homedir } from 'node:os';
import { join } from 'node:path';

/** `GUESTFLOW_CACHE`, or `guestflow` in the user's cache directory (`XDG_CACHE_HOME`, by default `~/.cache`). */
export function defaultCacheDir(): string {
  return process.env['GUESTFLOW_CACHE'] ?? join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'guestflow');
}
