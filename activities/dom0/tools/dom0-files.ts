/** Texts of a dom0's settings files that guestflow wants otherwise than Debian ships them. Pure: text in, text out. */

/** Debian's init script hands these on to xenconsoled; it ignores the XENCONSOLED_TRACE that Xen's own documentation names. */
export const CONSOLE_LINE = 'XENCONSOLED_ARGS="--log=guest --log-dir=/var/log/xen/console"';

/** Adds the line that logs guests' consoles to /etc/default/xen. One that is there stays as it is: the operator's. */
export function withConsoleLog(text: string): string {
  return /^XENCONSOLED_ARGS=/m.test(text) ? text : `${text.trimEnd()}\n${CONSOLE_LINE}\n`;
}

/** Takes the word `pygrub` off the lines of /etc/xen-tools/distributions.conf: it overrides --nopygrub, and a guest made so needs grub inside. */
export function withoutPygrub(text: string): string {
  return text.replaceAll(/^(\S+\s*=.*?)[ \t]+pygrub\b/gm, '$1');
}

/** Sets `vif.default.bridge` in /etc/xen/xl.conf, whether it is there, commented out, or absent. */
export function withDefaultBridge(text: string, bridge: string): string {
  const line = `vif.default.bridge="${bridge}"`;
  if (/^\s*vif\.default\.bridge\s*=/m.test(text)) return text.replace(/^\s*vif\.default\.bridge\s*=.*$/m, line);
  if (/^#\s*vif\.default\.bridge\s*=/m.test(text)) return text.replace(/^#\s*vif\.default\.bridge\s*=.*$/m, line);
  return `${text.trimEnd()}\n${line}\n`.trimStart();
}
