/** Fetches what the tests need beside npm and Debian packages, before they start: a download must not count as a test's time. */
import { defaultCacheDir } from '../worker/cache-dir.ts';
import { installPromtool } from '../test/promtool/install.ts';
import { installSchemathesis } from '../test/schemathesis/install.ts';
import { findTemporalBinary, findTestServerBinary } from '../worker/temporal-binary.ts';

/**
 * Fetches the Temporal servers, Schemathesis and promtool into the cache. When one cannot be had, says why; the tests that need it then fail, or say
 * that they are skipped.
 *
 * @param say told in words what takes time.
 */
export async function prepareTests(say: (message: string) => void): Promise<void> {
  const options = { cacheDir: defaultCacheDir(), onProgress: say };
  const wanted = [
    () => findTemporalBinary(options),
    () => findTestServerBinary(options),
    () => installSchemathesis(say),
    () => installPromtool(say),
  ];
  for (const have of wanted) {
    try {
      await have();
    } catch (error) {
      say(error instanceof Error ? error.message : String(error));
    }
  }
}
