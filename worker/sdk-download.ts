/** The SDK's own download of a server. The SDK downloads one only to start it, so it is started, and ended at once. */
import { access, constants, mkdir } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { Runtime } from '@temporalio/worker';

const SDK = createRequire(import.meta.url)('@temporalio/worker/package.json') as { readonly version: string };
const A_DAY_MS = 86_400_000;

/**
 * Has the SDK download a server into `directory`.
 *
 * @returns the path of the binary.
 */
export async function sdkDownload(
  type: 'dev-server' | 'time-skipping',
  directory: string,
  onProgress?: (message: string) => void,
): Promise<string> {
  await mkdir(directory, { recursive: true });
  onProgress?.("downloading the Temporal server with the SDK's own download");
  const exe = {
    type: 'cached-download' as const,
    downloadDir: directory,
    version: 'default',
    ttl: 365 * A_DAY_MS,
    sdkName: 'sdk-typescript',
    sdkVersion: SDK.version,
  };
  const runtime = Runtime.instance();
  const server = await runtime.createEphemeralServer(
    type === 'time-skipping'
      ? { type, exe, port: null, extraArgs: [] }
      : {
          type,
          exe,
          namespace: 'default',
          ip: '127.0.0.1',
          port: null,
          uiPort: null,
          dbFilename: null,
          ui: false,
          log: { format: 'pretty', level: 'error' },
          extraArgs: [],
        },
  );
  await runtime.shutdownEphemeralServer(server);
  // The name is core's: crates/sdk-core/src/ephemeral_server/mod.rs, `get_or_download`.
  const path = join(directory, `${type === 'time-skipping' ? 'temporal-test-server' : 'temporal'}-${exe.sdkName}-${exe.sdkVersion}`);
  await access(path, constants.X_OK);
  return path;
}
