/** What the console of a Linux that starts tells. The text is the tenant's own system's: nothing of it is trusted but for that system itself. */
import type { ConsoleSight } from './port.ts';

/** agetty's and login's prompt, with the host name before it; not what login says of the last time. Kernel messages may follow on the same line. */
const LOGIN = /^(?!Last )\S{1,255} login: ?/m;

/** Where a start ends without a login: systemd's emergency mode, sulogin, the shell of an initramfs, a panic. */
const STUCK = [
  /You are in (?:emergency|rescue) mode/,
  /Give root password for (?:maintenance|login)/,
  /^\(initramfs\)/m,
  /ALERT! .{1,200} does not exist/,
  /Kernel panic - not syncing: .{1,200}/,
];

/** The whole of it is looked at: a login counts, whatever was printed before. */
export function readConsole(text: string): ConsoleSight {
  const login = LOGIN.exec(text);
  if (login !== null) return { isUp: true, what: login[0].trim() };
  const stuck = STUCK.map((pattern) => pattern.exec(text)?.[0]).find((found) => found !== undefined);
  return stuck === undefined ? { isUp: false } : { isUp: false, what: stuck };
}
