/**
 * A test process whose runner has gone (SIGTERM, a time limit) ends, with all that it has started: nobody else would end that. Ctrl-C reaches all of
 * them by itself.
 */
import { readdirSync, readFileSync } from 'node:fs';

function childrenOf(pid: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((candidate) => {
      try {
        const stat = readFileSync(`/proc/${String(candidate)}/stat`, 'latin1');
        return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]) === pid;
      } catch {
        return false;
      }
    });
}

function killBelow(pid: number): void {
  for (const child of childrenOf(pid)) {
    killBelow(child);
    try {
      process.kill(child, 'SIGKILL');
    } catch {
      // It has ended meanwhile.
    }
  }
}

process.once('disconnect', () => {
  killBelow(process.pid);
  process.kill(process.pid, 'SIGKILL');
});
