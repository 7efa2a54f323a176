/**
 * The guard: a script that systemd runs on the host, apart from whoever asked for the bridge. It makes the change, waits for a sign that
 * the host is reached, and puts everything back when none comes. It survives the loss of the connection that the change itself may cause.
 */
import type { BridgePlan } from './find.ts';

/** Where the guard has its script, the files as they were and as they are to be, and its marks. */
export const GUARD_FOLDER = '/var/lib/guestflow/bridge';
/** Written by whoever reaches the host over the bridge. A boot removes it. */
export const REACHED_FILE = '/run/guestflow-bridge-reached';
export const GUARD_UNIT = 'guestflow-bridge';
/** Puts the former files back when the host went down while the guard waited. */
export const RESTORE_UNIT_FILE = '/etc/systemd/system/guestflow-bridge-restore.service';
export const REACH_SECONDS = 60;

/** What the guard says when it has ended (`outcome` in its folder). */
export type Outcome =
  'kept' | 'rolled back: nobody reached the host' | 'rolled back: cancelled' | 'rolled back: it could not be brought up';

export const RESTORE_UNIT = `[Unit]
Description=Puts back the network settings that were on trial when the host went down (guestflow)
DefaultDependencies=no
RequiresMountsFor=${GUARD_FOLDER} /etc
After=local-fs.target
Before=network-pre.target networking.service systemd-networkd.service shutdown.target
Wants=network-pre.target
Conflicts=shutdown.target
ConditionPathExists=${GUARD_FOLDER}/pending

[Service]
Type=oneshot
ExecStart=/bin/sh ${GUARD_FOLDER}/guard.sh restore

[Install]
WantedBy=sysinit.target
`;

/** The commands, one a line. If one fails, the next ones still run. */
function tolerant(commands: readonly string[]): string {
  return commands.map((command) => `  timeout 90 ${command} || true`).join('\n') || '  :';
}

/** Puts files into place. Each copy is renamed to its name, so that after a power cut the file is the old one or the new one. */
function putLines(plan: BridgePlan, which: 'old' | 'new'): string {
  return plan.changes
    .map(({ path, before, after }, index) =>
      (which === 'old' ? before : after) === undefined
        ? `  rm -f -- '${path}'`
        : `  cp -p -- "$dir/${which}/${String(index)}" '${path}.guestflow-part' && mv -f -- '${path}.guestflow-part' '${path}'`,
    )
    .join('\n');
}

/**
 * The script. `apply` makes the change and waits; `rollback` puts back a bridge that was kept; `restore` puts back the files only, at a boot.
 *
 * @param plan paths and commands in it are of checked names
 */
export function guardScript(plan: BridgePlan, wish: { readonly name: string; readonly port: string }): string {
  return `#!/bin/sh
# Made by guestflow dom0 prepare: tries bridge ${wish.name} on ${wish.port}, and puts everything back unless the host is reached over it.
dir=${GUARD_FOLDER}
export PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C
cd /
say() { echo "guestflow-bridge: $1"; }
put_new() {
${putLines(plan, 'new')}
  sync
}
put_old() {
${putLines(plan, 'old')}
  sync
}
forget_trial() {
  rm -f -- /etc/systemd/system/sysinit.target.wants/guestflow-bridge-restore.service ${RESTORE_UNIT_FILE} "$dir/pending"
  sync
}
go_back() {
${tolerant(plan.downAgain)}
  put_old
${tolerant(plan.upAgain)}
  forget_trial
}
finish() { say "$1"; echo "$1" > "$dir/outcome.part"; mv -f -- "$dir/outcome.part" "$dir/outcome"; exit 0; }
is_up() { [ -e '/sys/class/net/${wish.name}/brif/${wish.port}' ]; }

case $1 in
restore)
  put_old
  forget_trial
  command -v netplan > /dev/null && netplan generate
  finish 'rolled back: nobody reached the host' ;;
rollback)
  go_back
  exit 0 ;;
esac

rm -f -- ${REACHED_FILE}
: > "$dir/pending"
mkdir -p /etc/systemd/system/sysinit.target.wants
ln -sf ${RESTORE_UNIT_FILE} /etc/systemd/system/sysinit.target.wants/guestflow-bridge-restore.service
sync
{
${tolerant(plan.down)}
}
put_new || { go_back; finish 'rolled back: it could not be brought up'; }
failed=0
${plan.up.map((command) => `timeout 90 ${command} || failed=1`).join('\n')}
left=10
until is_up || [ $left -eq 0 ]; do sleep 1; left=$((left - 1)); done
if [ $failed -ne 0 ] || ! is_up; then go_back; finish 'rolled back: it could not be brought up'; fi
: > "$dir/up"
left=${String(REACH_SECONDS)}
while [ $left -gt 0 ]; do
  if [ -e ${REACHED_FILE} ]; then forget_trial; finish kept; fi
  if [ -e "$dir/cancel" ]; then go_back; finish 'rolled back: cancelled'; fi
  sleep 1
  left=$((left - 1))
done
go_back
finish 'rolled back: nobody reached the host'
`;
}
