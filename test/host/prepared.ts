/** This machine, as xen-tools finds it on a dom0 that was prepared. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Host } from '../../system/host.ts';
import { host } from './machine.ts';

const DISTRIBUTIONS = '/etc/xen-tools/distributions.conf';

/**
 * As a prepared dom0 has it, Debian guests do not boot by pygrub. Only the process below sees this: the machine's own file stays as it is.
 */
export function prepared(directory: string): readonly [string, ...string[]] {
  const path = join(directory, 'distributions.conf');
  writeFileSync(path, readFileSync(DISTRIBUTIONS, 'utf8').replaceAll(/^(\S+\s*=.*?)[ \t]+pygrub\b/gm, '$1'));
  return ['unshare', '--mount', '--', 'sh', '-c', `mount --bind ${path} ${DISTRIBUTIONS} && exec "$@"`, 'sh'];
}

/** This machine, with tools that are run contained. */
export function preparedHost(before: readonly [string, ...string[]]): Host {
  const [first, ...rest] = before;
  return {
    ...host,
    run: (tool, args, options) => (tool === 'setpriv' ? host.run(first, [...rest, tool, ...args], options) : host.run(tool, args, options)),
  };
}
