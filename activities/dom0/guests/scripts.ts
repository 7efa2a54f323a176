/** Scripts of ours that a guest's shell runs. Values come by standard input, never in a script's text. */

/** Run over the bridge: a guest that answers it counts as booted. */
export const HELLO_SCRIPT = 'uname -r; findmnt -n -o SOURCE /; df -B1 --output=size / | tail -n 1';

/** Removes from authorized_keys the line with the comment that standard input names. */
export const SEAL_SCRIPT = `set -eu
read -r comment
keys=/root/.ssh/authorized_keys
umask 077
grep -v -- " $comment\\$" "$keys" > "$keys.new" || [ $? -eq 1 ]
sync "$keys.new"
mv "$keys.new" "$keys"
`;

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
