/** The workflow bundle is kept by a hash of what it is made of: whatever else went into it could change unseen. */
import { readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { WORKFLOWS_PATH } from '../../../worker/bundle.ts';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));

/** What a file imports and re-exports when it runs: type imports are gone by then. */
function importsOf(path: string): string[] {
  const text = readFileSync(path, 'utf8');
  return [...text.matchAll(/^(?:import|export)(?! type\b)[^;]*? from '([^']+)';/gm)].map(([, name = '']) => name);
}

it('workflows are made of files in workflows/ and contract/, and of no packages but Temporal’s own', () => {
  const files = new Set<string>();
  const packages = new Set<string>();
  const visit = (path: string): void => {
    if (files.has(path)) return;
    files.add(path);
    for (const name of importsOf(path)) {
      if (name.startsWith('.')) visit(join(dirname(path), name));
      else packages.add(name);
    }
  };
  visit(WORKFLOWS_PATH);
  const rooms = new Set([...files].map((path) => relative(ROOT, path).split('/')[0]));
  expect([...rooms].sort()).toEqual(['contract', 'workflows']);
  expect([...packages].sort()).toEqual(['@temporalio/common', '@temporalio/workflow', '@temporalio/workflow/lib/global-attributes.js']);
  expect(files.size).toBeGreaterThan(50);
});
