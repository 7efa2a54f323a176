/** What is half made of golden tarballs, root file systems and templates: found, and removed. */
import type { StepEnv } from '../env.ts';
import { wholeOf } from '../staging.ts';
import type { Template } from '../storage/port.ts';
import type { Work } from '../work.ts';
import { discardHalfGolden, halfGolden } from './golden.ts';
import { isGoldenRoot, workplace } from './golden-place.ts';
import { clearHalfMade } from './xen-tools.ts';

/** The files that exist of half-made golden tarballs and root file systems of a distribution. */
export async function halfMadeGolden(env: StepEnv, dist: string): Promise<string[]> {
  const templates = await halfTemplates(env, dist);
  return [...(await halfGolden(env, dist)), ...(await halfGoldenRoot(env, dist)), ...templates.map(({ where }) => where)];
}

async function halfTemplates({ storage }: StepEnv, dist: string): Promise<readonly Template[]> {
  return ((await storage.templates?.list()) ?? []).filter(({ key, isWhole }) => !isWhole && key.startsWith(`${dist}-`));
}

async function halfGoldenRoot({ host, settings }: Work, dist: string): Promise<string[]> {
  const directory = workplace(settings, dist);
  const names = await host.files.list(settings.goldenDir);
  // The record is written last.
  const isHalf = (name: string): boolean =>
    (wholeOf(name) ?? '').startsWith(`${dist}-`) || (isGoldenRoot(dist, name) && !names.includes(`${name}.json`));
  const parts = names.filter(isHalf);
  return [
    ...((await host.files.info(directory)) === undefined ? [] : [directory]),
    ...parts.map((name) => `${settings.goldenDir}/${name}`),
  ];
}

/** Undo of `ensureGolden` and `ensureGoldenRoot`: removes what is half made. What is whole stays: the next guest is made from it. */
export async function discardHalfMadeGolden(env: StepEnv, input: { readonly dist: string }): Promise<void> {
  await discardHalfGolden(env, input);
  await discardHalfGoldenRoot(env, input);
}

/** Removes what is half made of golden root file systems. */
export async function discardHalfGoldenRoot(env: StepEnv, { dist }: { readonly dist: string }): Promise<void> {
  await clearHalfMade(env.host, workplace(env.settings, dist));
  for (const path of await halfGoldenRoot(env, dist)) await env.host.files.removeTree(path);
  for (const { key } of await halfTemplates(env, dist)) await env.storage.templates?.remove(key);
}
