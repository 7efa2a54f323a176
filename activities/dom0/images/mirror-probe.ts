/** Whether a distribution can be fetched from here, asked before any work: with apt's own fetcher, so with its proxies and certificates. */
import { GuestflowError } from '../../../contract/errors.ts';
import { whyNotMirrorAddress } from '../../../contract/mirror.ts';
import { withoutPasswords } from '../../../contract/redact.ts';
import { checkedBy, checkedPath } from '../tools/arguments.ts';
import type { Host } from '../../../system/host.ts';
import { tail, ToolError } from '../../../system/run.ts';
import { whyNotDist } from '../../../contract/distributions.ts';
import { defined } from '../../../contract/defined.ts';

/** apt's helper has no place in PATH. */
export const APT_HELPER = '/usr/lib/apt/apt-helper';
/** One answer, with the start of a proxy's connection. */
const ANSWER_SECONDS = 20;
const PROBE_LIMIT_MS = 90_000;

/**
 * Fetches the index that every release of an archive has (`dists/DIST/InRelease`, some 100 KiB), and throws it away. Only http and https are
 * asked: what apt reads from a disk needs no asking.
 *
 * @param options `uri` of the archive; `directory`: of ours, for the file while it is fetched
 * @throws GuestflowError HostNotReady naming distribution and mirror
 */
export async function mustAnswer(
  host: Host,
  options: { readonly uri: string; readonly dist: string; readonly directory: string; readonly signal?: AbortSignal },
): Promise<void> {
  const dist = checkedBy('dist', options.dist, whyNotDist);
  if (!/^https?:\/\//i.test(options.uri)) return;
  const target = `${checkedPath('directory', options.directory)}/.mirror-${dist}`;
  const limits = ['http', 'https'].flatMap((kind) => ['-o', `Acquire::${kind}::Timeout=${String(ANSWER_SECONDS)}`]);
  try {
    await host.run(APT_HELPER, [...limits, '-o', 'Acquire::Retries=1', 'download-file', `${options.uri}/dists/${dist}/InRelease`, target], {
      label: 'apt-helper',
      timeoutMs: PROBE_LIMIT_MS,
      ...defined({ signal: options.signal }),
    });
  } catch (error) {
    if (!(error instanceof ToolError) || error.cancelled || error.notFound) throw error;
    const shown = withoutPasswords(options.uri);
    const words = error.timedOut ? 'no answer in time' : withoutPasswords(tail(`${error.stdout}\n${error.stderr}`, 2));
    throw new GuestflowError(
      'HostNotReady',
      `dist ${dist} cannot be fetched: the mirror ${shown} does not give it to this dom0: ${words}`,
      {
        field: 'dist',
        value: dist,
        mend: `name another mirror in the order, plan or /etc/guestflow/dom0.yaml; or see why ${shown} does not answer`,
      },
      false,
    );
  } finally {
    for (const path of [target, `${target}.FAILED`]) await host.files.remove(path);
  }
}

/**
 * Refuses a mirror whose name leads, from this dom0, to itself or to link-local addresses. Names that are not found are left to the
 * proxy that may know them.
 *
 * @throws GuestflowError InvalidInput
 */
export async function mustBeElsewhere(host: Host, mirror: string, signal?: AbortSignal): Promise<void> {
  const name = new URL(mirror).hostname;
  const { stdout } = await host.run('getent', ['ahosts', '--', name], {
    okCodes: [0, 2],
    timeoutMs: 30_000,
    ...defined({ signal }),
  });
  for (const address of stdout.split('\n').map((line) => line.split(/\s/)[0] ?? '')) {
    const reason = address === '' ? undefined : whyNotMirrorAddress(address);
    if (reason !== undefined)
      throw new GuestflowError(
        'InvalidInput',
        `mirror ${mirror} cannot be used: here ${name} is ${address}, and ${reason}; a mirror on the dom0 is named in its own settings`,
        { field: 'mirror', value: mirror },
      );
  }
}
