import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: { root: new URL('../..', import.meta.url).pathname, include: ['test/storm/**/*.test.ts'], pool: 'forks', hookTimeout: 120_000 },
});
