import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createRunner } from '../../../system/run.ts';

const SCRIPT = fileURLToPath(new URL('../../../deploy/temporal/namespace.sh', import.meta.url));

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'namespace-script-'));
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

/** A command line of Temporal's whose server does not know a namespace until it was asked for it twice. */
const SLOW_TO_KNOW = `#!/bin/sh
case "$*" in
  *"namespace describe"*) exit 1 ;;
  *"search-attribute list"*) echo asked >> "$FOLDER/asked"; [ "$(wc -l < "$FOLDER/asked")" -gt 2 ] || { echo 'Namespace default is not found.' >&2; exit 1; } ;;
  *"search-attribute create"*) echo "$*" >> "$FOLDER/created" ;;
esac
`;

it('a namespace that the frontend knows only some seconds after it was made gets its search attributes', async () => {
  const temporal = join(folder, 'temporal');
  writeFileSync(temporal, SLOW_TO_KNOW);
  chmodSync(temporal, 0o755);
  await createRunner().run('sh', [SCRIPT], {
    env: { PATH: `${folder}:/usr/bin:/bin`, FOLDER: folder, TEMPORAL_NAMESPACE: 'default', RETENTION: '720h' },
  });
  const { stdout } = await createRunner().run('cat', ['--', join(folder, 'created')]);
  expect(stdout).toContain('GuestflowCustomer');
});
