/** Test files share their processes: what one of them changed of its process is put back when it has ended, whatever came of it. */
import { afterAll, vi } from 'vitest';

/** Remembers how the process is. Returns what makes it so again: environment, working directory, clock, spies. */
export function remember(): () => void {
  const environment = { ...process.env };
  const directory = process.cwd();
  return () => {
    vi.restoreAllMocks();
    vi.useRealTimers();
    vi.unstubAllEnvs();
    vi.unstubAllGlobals();
    for (const name of Object.keys(process.env)) if (!(name in environment)) Reflect.deleteProperty(process.env, name);
    Object.assign(process.env, environment);
    process.chdir(directory);
  };
}

afterAll(remember());
