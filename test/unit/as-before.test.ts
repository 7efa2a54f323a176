/** What a test file that fails in the middle leaves of its process is no matter of the file that comes after it in the same one. */
import { tmpdir } from 'node:os';
import { expect, it, vi } from 'vitest';
import { remember } from '../as-before.ts';

it('a process is as before for the next test file: environment, working directory, clock and spies', () => {
  const before = { environment: { ...process.env }, directory: process.cwd() };
  const putBack = remember();
  process.env['GUESTFLOW_TEST_ADDED'] = 'yes';
  process.env['PATH'] = '/nowhere';
  delete process.env['HOME'];
  process.chdir(tmpdir());
  vi.useFakeTimers({ toFake: ['Date'], now: 0 });
  vi.spyOn(process.stdout, 'write').mockReturnValue(true);
  vi.stubGlobal('fetch', undefined);
  putBack();
  expect(process.env).toEqual(before.environment);
  expect(process.cwd()).toBe(before.directory);
  expect(Date.now()).toBeGreaterThan(0);
  expect(vi.isMockFunction(Reflect.get(process.stdout, 'write'))).toBe(false);
  expect(fetch).toBeTypeOf('function');
});
