/** What `guestflow pull-backups` refuses before it asks anybody. */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { errorOf, run } from './run.ts';

let into: string;
beforeEach(() => {
  into = mkdtempSync(join(tmpdir(), 'guestflow-into-'));
});
afterEach(() => rmSync(into, { recursive: true }));

describe('guestflow pull-backups', () => {
  it.each([
    ['from', ['--from', '-oProxyCommand=id']],
    ['from', ['--from', 'root@']],
    ['from', ['--from', 'a@b@c']],
    ['from', ['--from', 'Root@xen1']],
    ['from', ['--from', 'xen1;id']],
    ['from', ['--from', 'fe80::1%eth0']],
    ['dom0', ['--from', '2001:db8::1']],
    ['dom0', ['--from', 'xen1', '--dom0', '..']],
    ['dom0', ['--from', 'xen1', '--dom0', 'a/b']],
    ['port', ['--from', 'xen1', '--port', '0']],
    ['port', ['--from', 'xen1', '--port', '65536']],
    ['port', ['--from', 'xen1', '--port', '22 -v']],
    ['identity', ['--from', 'xen1', '--identity', '/no/such/key']],
    ['known-hosts', ['--from', 'xen1', '--known-hosts', '/no/such/file']],
    ['retention', ['--from', 'xen1', '--retention', 'last=3']],
    ['retention', ['--from', 'xen1', '--retention', 'daily']],
    ['retention', ['--from', 'xen1', '--retention', 'daily=0']],
    ['retention', ['--from', 'xen1', '--retention', 'daily=367']],
    ['retention', ['--from', 'xen1', '--retention', 'daily=1,daily=2']],
    ['retention', ['--from', 'xen1', '--retention', 'fortnightly=1']],
    ['max-bytes', ['--from', 'xen1', '--max-bytes', '5']],
    ['reserve', ['--from', 'xen1', '--reserve', 'much']],
    ['into', ['--from', 'xen1', '--into', '/no/such/directory']],
  ])('refuses a --%s that cannot be, with what to do: %j', async (field, argv) => {
    const refused = await run(['pull-backups', '--into', into, ...argv, '--json']);
    expect(refused.code).toBe(2);
    expect(errorOf(refused)).toMatchObject({ type: 'InvalidInput', field });
    expect(readdirSync(into)).toEqual([]);
  });
});
