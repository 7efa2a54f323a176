/** sysctl-wallclock: the guest keeps its own time, by NTP (rows 7 and 10 of the how-to). */
import type { GuestSpec, WallclockResult } from '../../../contract/types.ts';
import { GuestflowError } from '../../../contract/errors.ts';
import { guestRun } from '../tools/guest-ssh.ts';
import { consoleTail } from '../toolstack/xl/xl.ts';
import { guestPaths } from '../guest-paths.ts';
import type { StepEnv } from '../step.ts';
import { mustBeUp } from './boot.ts';

/**
 * Run in the guest by its root. Says what it found as `key=value` lines.
 * The key exists on the kernels that Xen's own Linux tree had; pvops kernels (all of mainline) have no such key.
 */
export const WALLCLOCK_SCRIPT = `set -u
key=/proc/sys/xen/independent_wallclock
if [ -e "$key" ]; then
  printf 'xen.independent_wallclock = 1\\n' > /etc/sysctl.d/60-guestflow-wallclock.conf && echo 1 > "$key" && [ "$(cat "$key")" = 1 ] || exit 21
  echo wallclock=set
else
  echo 'wallclock=not needed'
fi
find_daemon() {
  for unit in chrony chronyd systemd-timesyncd ntpsec ntp openntpd; do
    if systemctl cat "$unit.service" >/dev/null 2>&1; then echo "$unit"; return; fi
  done
}
daemon=$(find_daemon)
if [ -z "$daemon" ]; then
  DEBIAN_FRONTEND=noninteractive apt-get install -y -q systemd-timesyncd >/dev/null 2>&1
  daemon=$(find_daemon)
fi
[ -n "$daemon" ] || exit 22
systemctl is-enabled --quiet "$daemon.service" || systemctl enable --quiet --now "$daemon.service" || exit 23
echo "daemon=$daemon"
echo "kernel=$(uname -r)"
echo "clocksource=$(cat /sys/devices/system/clocksource/clocksource0/current_clocksource 2>/dev/null)"
dmesg 2>/dev/null | grep -i 'time went backwards' | tail -n 5 | sed 's/^/backwards=/'
echo "now=$(date +%s.%N)"
`;

const EXIT_REASONS: Readonly<Record<number, string>> = {
  21: 'xen.independent_wallclock could not be set',
  22: 'the guest has no time daemon (chrony, systemd-timesyncd, ntp) and none could be installed',
  23: 'the time daemon of the guest could not be enabled',
};

/** Sets what this guest's kernel needs, and measures its clock. */
export async function setWallclock(env: StepEnv, spec: GuestSpec): Promise<WallclockResult> {
  const paths = guestPaths(env.settings, spec.name);
  await mustBeUp(env, spec);
  const before = Date.now();
  const result = await guestRun(env.host, {
    ip: spec.network.ip,
    keyPath: paths.provisionKey,
    knownHosts: paths.knownHosts,
    command: 'sh -s',
    input: WALLCLOCK_SCRIPT,
    timeoutMs: 3 * 60_000,
    signal: env.signal,
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
  // The script reads the clock last: the answer is as old as the way back.
  const skew = Number(value('now')) - after / 1000;
  const fromConsole = (await consoleTail(env.host, spec.name, 2_000)).split('\n').filter((line) => /time went backwards/i.test(line));
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
