import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import { inMemory } from './test/in-memory.ts';

/** Processes of their own: the native Temporal library and the tools that tests drive do not live in worker threads. */
const shared = {
  pool: 'forks' as const,
  testTimeout: 60_000,
  hookTimeout: 60_000,
  setupFiles: ['test/fast-check.ts', 'test/ends-with-runner.ts', 'test/as-before.ts'],
  execArgv: ['--import', fileURLToPath(new URL('test/light-workflows.mjs', import.meta.url))],
};

/** Host tests that take nothing of the machine's: no loop devices, no mounts, no names that others have. */
const APART = [
  'arping',
  'customer-page',
  'disk-files',
  'identity',
  'page-files',
  'role',
  'same-bytes',
  'schemathesis',
  'used-blocks',
  'vif-guestflow',
  'vif-refused',
  'vif-rules',
  'whmcs',
  'whmcs-away',
  'xendomains',
  'xl-dry-run',
  'xlcfg-oracle',
].map((name) => `test/host/${name}.test.ts`);

/** They need no disk. */
const inShm = { ...shared, env: inMemory(), globalSetup: ['test/in-memory.ts'] };

export default defineConfig({
  test: {
    ...shared,
    // All cores, of which vitest leaves one to itself, and one more: tests wait for timers and for processes a third of their time.
    maxWorkers: availableParallelism() + 1,
    projects: [
      // Their files share processes: a process for each would read all modules anew, which took half of the time.
      { test: { ...inShm, name: 'unit', include: ['test/unit/**/*.test.ts'], isolate: false } },
      // The workflow bundle is built once, before the first test.
      {
        test: {
          ...inShm,
          name: 'workflow',
          include: ['test/workflow/**/*.test.ts'],
          retry: 1,
          globalSetup: [...inShm.globalSetup, 'test/global-setup.ts'],
        },
      },
      { test: { ...shared, name: 'tools', include: APART } },
      // Loop devices and mounts are the machine's: one file at a time, when the others are done.
      { test: { ...shared, name: 'host', include: ['test/host/**/*.test.ts'], exclude: APART, fileParallelism: false } },
      // The gateway in a storm of deliveries. It takes the machine: alone, and after the others.
      {
        test: {
          ...shared,
          name: 'storm',
          include: ['test/storm/**/*.test.ts'],
          retry: 1,
          globalSetup: ['test/global-setup.ts'],
          fileParallelism: false,
          sequence: { groupOrder: 2 },
        },
      },
      // The fault matrix takes all cores there are: it comes after the others, whose tests have time limits.
      {
        test: {
          ...shared,
          name: 'faults',
          include: ['test/faults/**/*.test.ts'],
          // A machine that others take up makes cases miss their shortened limits.
          retry: 1,
          disableConsoleIntercept: true,
          sequence: { groupOrder: 1 },
        },
      },
      // Hundreds of guests at once, with figures that must hold: alone, and last.
      {
        test: {
          ...shared,
          name: 'scale',
          include: ['test/scale/**/*.test.ts'],
          retry: 1,
          globalSetup: ['test/global-setup.ts'],
          fileParallelism: false,
          sequence: { groupOrder: 3 },
        },
      },
      // A bare Debian that becomes a dom0, in a machine of its own.
      {
        test: {
          ...shared,
          name: 'bare',
          include: ['test/bare/**/*.test.ts'],
          fileParallelism: false,
          bail: 1,
          sequence: { groupOrder: 4 },
        },
      },
      // A life of a guest under emulation, in one lab.
      {
        test: {
          ...shared,
          name: 'lab',
          include: ['test/lab/**/*.test.ts'],
          globalSetup: ['test/lab/setup.ts'],
          fileParallelism: false,
          testTimeout: 1_200_000,
          hookTimeout: 1_200_000,
          bail: 1,
        },
      },
    ],
  },
});
