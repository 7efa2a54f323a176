/** sysctl-wallclock: the guest keeps its own time, by NTP (rows 7 and 10 of the how-to). */
import type { GuestSpec } from '../../../contract/guest.ts';
import type { WallclockResult } from '../../../contract/step-results.ts';
import { GuestflowError } from '../../../contract/errors.ts';
import type { StepEnv } from '../env.ts';
import { WALLCLOCK_SCRIPT } from '../guests/scripts.ts';
import { mustBeUp } from './boot.ts';

const EXIT_REASONS: Readonly<Record<number, string>> = {
  21: 'xen.independent_wallclock could not be set',
  22: 'the guest has no time daemon (chrony, systemd-timesyncd, ntp) and none could be installed',
  23: 'the time daemon of the guest could not be enabled',
};

/** Sets what this guest's kernel needs, and measures its clock. */
export async function setWallclock(env: StepEnv, spec: GuestSpec): Promise<WallclockResult> {
  await mustBeUp(env, spec);
  const before = Date.now();
  const result = await env.kindOf(spec).run(spec, {
    script: 'sh -s',
    input: WALLCLOCK_SCRIPT,
    timeoutMs: 3 * 60_000,
    okCodes: [0, 21, 22, 23],
  });
  const after = Date.now();
  const reason = EXIT_REASONS[result.code];
  if (reason !== undefined) throw new GuestflowError('ToolFailed', `${spec.name}: ${reason}`);
  const lines = result.stdout.split('\n').map((line) => line.split('=') as [string, ...string[]]);
  const value = (key: string): string =>
    lines
      .find(([name]) => name === key)
      ?.slice(1)
      .join('=') ?? '';
  // The script reads the guest's clock as its last command, so the value is only as old as the way back.
  const skew = Number(value('now')) - after / 1000;
  const fromConsole = (await env.toolstack.console(spec.name, 2_000)).split('\n').filter((line) => /time went backwards/i.test(line));
  const fromLog = lines.filter(([name]) => name === 'backwards').map(([, ...rest]) => rest.join('='));
  env.log.info({ guest: spec.name, roundTripMs: after - before }, 'wallclock looked at');
  return {
    independentWallclock: value('wallclock') === 'set' ? 'set' : 'not needed',
    kernel: value('kernel'),
    clocksource: value('clocksource'),
    timeDaemon: value('daemon'),
    skewSeconds: Math.round(skew * 1000) / 1000,
    wentBackwards: [...new Set([...fromLog, ...fromConsole])].slice(0, 10),
  };
}
