/** What is the same for everybody: style, script, icon. Their names have a hash of their content, so that browsers may keep them for good. */
import { createHash } from 'node:crypto';
import { HttpRefusal } from '../../system/http/problem.ts';
import type { Route } from '../../system/http/router.ts';
import { ICON, SCRIPT, STYLE } from './style.ts';

interface Asset {
  readonly file: string;
  readonly type: string;
  readonly text: string;
}

function asset(name: string, type: string, text: string): Asset {
  return { file: `${createHash('sha256').update(text).digest('hex').slice(0, 16)}.${name}`, type, text };
}

const ASSETS = {
  style: asset('css', 'text/css; charset=utf-8', STYLE),
  script: asset('js', 'text/javascript; charset=utf-8', SCRIPT),
  icon: asset('svg', 'image/svg+xml', ICON),
} as const;

/** The path of one. */
export function assetPath(name: keyof typeof ASSETS): string {
  return `/my/assets/${ASSETS[name].file}`;
}

export const assetRoute: Route = {
  method: 'GET',
  path: '/my/assets/:file',
  handle: ({ path }) => {
    const found = Object.values(ASSETS).find(({ file }) => file === path['file']);
    if (found === undefined) throw new HttpRefusal(404, 'not-found', 'there is nothing here');
    return new Response(found.text, {
      headers: { 'content-type': found.type, 'cache-control': 'public, max-age=31536000, immutable', 'x-content-type-options': 'nosniff' },
    });
  },
};
