/**
 * A test process whose runner has gone (SIGTERM, a time limit) ends, with all that it has started: nobody else would end that. Ctrl-C reaches all of
 * them by itself.
 */
import { readdirSync } from 'node:fs';
import { parentOf } from '../system/run-server.ts';

function childrenOf(pid: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((candidate) => parentOf(candidate) === pid);
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

function endWithRunner(): void {
  killBelow(process.pid);
  process.kill(process.pid, 'SIGKILL');
}

// A process that runs one test file after another comes here with each of them.
if (!process.listeners('disconnect').some(({ name }) => name === endWithRunner.name)) process.once('disconnect', endWithRunner);
