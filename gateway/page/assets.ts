/** What is the same for everybody: style, script, icon, terminal. Their names have a hash of their content, so that browsers may keep them for good. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { HttpRefusal } from '../../system/http/problem.ts';
import type { Route } from '../../system/http/router.ts';
import { ICON, SCRIPT, STYLE } from './style.ts';
import { TERMINAL_SCRIPT } from './terminal.ts';

interface Asset {
  readonly file: string;
  readonly type: string;
  readonly text: string;
}

function asset(name: string, type: string, text: string): Asset {
  return { file: `${createHash('sha256').update(text).digest('hex').slice(0, 16)}.${name}`, type, text };
}

const [CSS, JAVASCRIPT] = ['text/css; charset=utf-8', 'text/javascript; charset=utf-8'] as const;

/** Made when first asked for: the terminal is half a megabyte, and only a gateway that opens consoles has its package beside it. */
const MAKERS = {
  style: () => asset('css', CSS, STYLE),
  script: () => asset('js', JAVASCRIPT, SCRIPT),
  icon: () => asset('svg', 'image/svg+xml', ICON),
  terminal: () => asset('js', JAVASCRIPT, TERMINAL_SCRIPT),
  xterm: () => asset('js', JAVASCRIPT, ofXterm('lib/xterm.js')),
  xtermStyle: () => asset('css', CSS, ofXterm('css/xterm.css')),
} as const;

export type AssetName = keyof typeof MAKERS;

const made = new Map<AssetName, Asset>();

function assetOf(name: AssetName): Asset {
  const one = made.get(name) ?? MAKERS[name]();
  made.set(name, one);
  return one;
}

function ofXterm(path: string): string {
  const text = readFileSync(createRequire(import.meta.url).resolve(`@xterm/xterm/${path}`), 'utf8');
  // The map of the sources is not served.
  return text.replace(/\n\/\/# sourceMappingURL=\S+\s*$/, '\n');
}

/** The path of one. */
export function assetPath(name: AssetName): string {
  return `/my/assets/${assetOf(name).file}`;
}

const OF_EVERY_PAGE = ['style', 'script', 'icon'] as const;
const OF_THE_TERMINAL = ['terminal', 'xterm', 'xtermStyle'] as const;

/** @param hasTerminal whether those of the terminal are served, too */
export function assetRoute(hasTerminal: boolean): Route {
  const names = hasTerminal ? [...OF_EVERY_PAGE, ...OF_THE_TERMINAL] : OF_EVERY_PAGE;
  return {
    method: 'GET',
    path: '/my/assets/:file',
    handle: ({ path }) => {
      const found = names.map(assetOf).find(({ file }) => file === path['file']);
      if (found === undefined) throw new HttpRefusal(404, 'not-found', 'there is nothing here');
      return new Response(found.text, {
        headers: {
          'content-type': found.type,
          'cache-control': 'public, max-age=31536000, immutable',
          'x-content-type-options': 'nosniff',
        },
      });
    },
  };
}
