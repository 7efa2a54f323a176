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

/** Says root's first line of /etc/shadow. */
export const ROOT_LINE_SCRIPT = `set -eu
grep -m 1 '^root:' /etc/shadow || [ $? -eq 1 ]
`;

/** Sets root's password to the hash of the line `root:HASH` on standard input, and looks whether it is there then. */
export const SET_PASSWORD_SCRIPT = `set -eu
read -r line
printf '%s\\n' "$line" | chpasswd -e
sync /etc/shadow
printf '%s:\\n' "$line" | grep -q -F -f - /etc/shadow
`;

/** Puts the line on standard input in the place of root's first line of /etc/shadow. All else stays, mode and owner, too. */
export const BRING_ROOT_LINE_BACK_SCRIPT = `set -eu
umask 077
new=/etc/shadow.guestflow
cp -p /etc/shadow "$new"
awk 'NR == FNR { former = $0; next } !done && /^root:/ { print former; done = 1; next } { print }' - /etc/shadow > "$new"
sync "$new"
mv "$new" /etc/shadow
`;

/** Has the kernel take the name in its file. */
export const TAKE_HOSTNAME_SCRIPT = 'hostname -F /etc/hostname';

/** For both scripts below: nothing on the way to `$path` is a link. 41: something is, or is no directory. */
const NO_LINK_ON_THE_WAY = `directory=$(dirname "$path")
if [ -L "$directory" ] || { [ -e "$directory" ] && [ ! -d "$directory" ]; }; then exit 41; fi
if [ -d "$directory" ] && [ "$(readlink -f "$directory")" != "$directory" ]; then exit 41; fi`;

/** Says what is at the path on standard input: type, mode, user, group; of a file its content, too, as base64. Nothing: there is nothing. */
export const LOOK_AT_PATH_SCRIPT = `set -eu
read -r path
${NO_LINK_ON_THE_WAY}
if [ -L "$path" ]; then exit 41
elif [ -f "$path" ]; then stat -c 'file %a %u %g' "$path"; base64 "$path"
elif [ -d "$path" ]; then stat -c 'directory %a %u %g' "$path"
elif [ -e "$path" ]; then exit 41
fi
`;

/** Makes what the first line of standard input says: `file|directory|gone PATH MODE USER GROUP`. A file's content follows as base64. */
export const CHANGE_PATH_SCRIPT = `set -eu
read -r what path mode user group
${NO_LINK_ON_THE_WAY}
umask 077
case $what in
file)
  new=$path.guestflow
  rm -f "$new"
  base64 -d > "$new"
  chown "$user:$group" "$new"
  chmod "$mode" "$new"
  sync "$new"
  mv -T "$new" "$path"
  ;;
directory)
  [ ! -L "$path" ] || exit 41
  [ -d "$path" ] || mkdir "$path"
  chown "$user:$group" "$path"
  chmod "$mode" "$path"
  ;;
gone)
  if [ -d "$path" ] && [ ! -L "$path" ]; then rmdir --ignore-fail-on-non-empty "$path"; else rm -f "$path"; fi
  ;;
*) exit 42 ;;
esac
`;

/**
 * Grows the root file system to the size of its disk, while it is mounted. Standard input says how many bytes the disk must have by then, which the guest's
 * kernel may learn only now: the backend looks at the size of its disk when a request comes (Linux, drivers/block/xen-blkback/blkback.c: xen_vbd_resize), so
 * a block is read past the cache; the frontend then takes the new size over (drivers/block/xen-blkfront.c: blkfront_connect). Says the block count and
 * block size of the file system afterwards. It must be read in the guest: what its kernel has not written yet, nobody else sees.
 */
export const GROW_FS_SCRIPT = `set -u
read -r wanted
device=$(findmnt -n -o SOURCE /)
case $(findmnt -n -o FSTYPE /) in ext3|ext4) ;; *) exit 31 ;; esac
[ -b "$device" ] || exit 31
size=/sys/class/block/$(basename "$(readlink -f "$device")")/size
tries=0
until [ $(($(cat "$size") * 512)) -ge "$wanted" ]; do
  [ $tries -lt 30 ] || exit 32
  tries=$((tries + 1))
  dd if="$device" of=/dev/null bs=4096 count=1 iflag=direct 2>/dev/null
  sleep 1
done
resize2fs "$device" >/dev/null || exit 33
dumpe2fs -h "$device" 2>/dev/null | sed -n -e 's/^Block count: */count=/p' -e 's/^Block size: */size=/p'
`;

/** What both scripts of a freeze begin with: `hooks WORD` runs the guest's own hooks, and names the first that fails. */
const FREEZE_HOOKS = `set -u
directory=/etc/guestflow/freeze.d
flag=/run/guestflow-frozen
hooks() {
  for hook in "$directory"/*; do
    [ -f "$hook" ] && [ -x "$hook" ] || continue
    timeout 60 "$hook" "$1" < /dev/null > /dev/null 2>&1 || { echo "failed=$(basename "$hook")"; return 1; }
  done
}
thaw() { mv "$flag" "$flag.over" 2> /dev/null && hooks thaw; }
`;

/**
 * Has the guest's own hooks stop what writes, and flushes what was written. If nobody comes to thaw it, it thaws by itself after two minutes: what is
 * frozen must go on, whatever becomes of its dom0. Says `failed=HOOK` when a hook has failed; then it is thawed already.
 */
export const FREEZE_SCRIPT = `${FREEZE_HOOKS}
: > "$flag"
( trap '' HUP; sleep 120; thaw ) < /dev/null > /dev/null 2>&1 &
hooks freeze || { thaw > /dev/null; exit 0; }
sync
echo frozen=yes
`;

/** Ends a freeze. Says whether it was still frozen. */
export const THAW_SCRIPT = `${FREEZE_HOOKS}
if [ -e "$flag" ]; then echo frozen=yes; fi
thaw
exit 0
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
