/** Fetches what the tests need beside npm and Debian packages, before they start: a download must not count as a test's time. */
import { defaultCacheDir } from '../worker/cache-dir.ts';
import { installPromtool } from '../test/promtool/install.ts';
import { CFN_LINT } from '../test/cfn-lint/tool.ts';
import { install } from '../test/python-tool.ts';
import { SCHEMATHESIS } from '../test/schemathesis/tool.ts';
import { findTemporalBinary, findTestServerBinary } from '../worker/temporal-binary.ts';

/**
 * Fetches the Temporal servers, Schemathesis, cfn-lint and promtool into the cache. When one cannot be had, says why; the tests that need it then fail, or say
 * that they are skipped.
 *
 * @param say told in words what takes time.
 */
export async function prepareTests(say: (message: string) => void): Promise<void> {
  const options = { cacheDir: defaultCacheDir(), onProgress: say };
  const wanted = [
    () => findTemporalBinary(options),
    () => findTestServerBinary(options),
    () => install(SCHEMATHESIS, say),
    () => install(CFN_LINT, say),
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
