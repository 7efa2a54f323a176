/** The page's style sheet. Colours are named once, for light and for dark; every pair of text and ground has a contrast of at least 4.5 to 1. */
export const STYLE = `:root {
  color-scheme: light dark;
  --ground: #f4f5f7; --card: #ffffff; --text: #1b1f24; --soft: #4d5763; --line: #d0d7de; --field: #6e7781;
  --link: #0a58ca; --main: #0a58ca; --on-main: #ffffff; --good: #116329; --bad: #a40e26; --busy: #7a4a00;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #12161c; --card: #1b2129; --text: #e8ebef; --soft: #aeb8c4; --line: #38424e; --field: #8b96a3;
    --link: #86b7ff; --main: #86b7ff; --on-main: #0d1a2b; --good: #6fd08c; --bad: #ff9a9f; --busy: #f0c060;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--text); font: 1rem/1.5 system-ui, sans-serif; }
a { color: var(--link); }
:focus-visible { outline: 3px solid var(--link); outline-offset: 2px; }
.skip { position: absolute; left: -999rem; }
.skip:focus { left: 0.5rem; top: 0.5rem; background: var(--card); padding: 0.5rem 1rem; z-index: 1; }
header, main { max-width: 60rem; margin: 0 auto; padding: 0 1rem; }
header { display: flex; flex-wrap: wrap; align-items: center; gap: 0.5rem 1rem; padding-top: 1rem; padding-bottom: 0.5rem; }
header > :first-child { margin-right: auto; font-weight: 600; font-size: 1.125rem; text-decoration: none; color: var(--text); }
header form { margin: 0; }
main { padding-bottom: 3rem; }
h1 { font-size: 1.625rem; line-height: 1.25; margin: 1rem 0; overflow-wrap: anywhere; }
h2 { font-size: 1.125rem; margin: 0 0 0.75rem; }
p { margin: 0 0 0.75rem; max-width: 42rem; }
section, .card { background: var(--card); border: 1px solid var(--line); border-radius: 0.5rem; padding: 1.25rem; margin: 0 0 1rem; }
section > :last-child, .card > :last-child { margin-bottom: 0; }
.title { display: flex; flex-wrap: wrap; align-items: center; gap: 0.25rem 1rem; margin: 1rem 0; }
.title h1 { margin: 0; }
.state { font-weight: 600; color: var(--soft); white-space: nowrap; }
.state::before { content: ""; display: inline-block; width: 0.625rem; height: 0.625rem; border-radius: 50%; background: currentColor; margin-right: 0.5rem; }
.running { color: var(--good); } .failed, .needs-cleanup, .lost { color: var(--bad); } .provisioning, .ordered, .terminating { color: var(--busy); }
dl { display: grid; grid-template-columns: repeat(auto-fill, minmax(11rem, 1fr)); gap: 1rem; margin: 0; }
dt { color: var(--soft); font-size: 0.875rem; }
dd { margin: 0; overflow-wrap: anywhere; }
.buttons { display: flex; flex-wrap: wrap; gap: 0.625rem; align-items: center; }
.buttons form { margin: 0; }
.button, button { display: inline-block; min-height: 2.75rem; padding: 0.5rem 1rem; font: inherit; font-weight: 500; text-decoration: none; cursor: pointer;
  border: 1px solid var(--field); border-radius: 0.375rem; background: var(--card); color: var(--text); }
.button:hover, button:hover { border-color: var(--link); }
.main { background: var(--main); border-color: var(--main); color: var(--on-main); }
.plain { border-color: transparent; background: none; color: var(--link); padding: 0.5rem; }
table { width: 100%; border-collapse: collapse; }
th, td { text-align: left; padding: 0.625rem 0.75rem 0.625rem 0; border-bottom: 1px solid var(--line); vertical-align: middle; overflow-wrap: anywhere; }
tr:last-child td, tr:last-child th { border-bottom: 0; }
thead th { color: var(--soft); font-size: 0.875rem; font-weight: 500; }
tbody th { font-weight: 500; }
.proven { color: var(--good); } .unusable { color: var(--bad); }
.problem { border-left: 0.375rem solid var(--bad); }
.busy { border-left: 0.375rem solid var(--busy); }
meter { width: 100%; max-width: 16rem; height: 0.75rem; }
.more { margin-top: 1rem; }
progress { width: 100%; max-width: 24rem; accent-color: var(--main); }
fieldset { border: 0; padding: 0; margin: 0 0 1rem; }
legend { font-weight: 600; padding: 0; margin-bottom: 0.5rem; }
.choice { display: flex; gap: 0.5rem; align-items: baseline; padding: 0.25rem 0; }
label[for="password"], label[for="keys"] { display: block; margin-top: 0.5rem; }
input[type="password"], select, textarea { font: inherit; width: 100%; max-width: 24rem; min-height: 2.75rem; padding: 0.5rem; color: inherit; background: var(--ground);
  border: 1px solid var(--field); border-radius: 0.375rem; }
textarea { max-width: none; box-sizing: border-box; font: 0.875rem/1.5 ui-monospace, monospace; overflow-wrap: anywhere; }
.hint { color: var(--soft); font-size: 0.875rem; margin: 0.25rem 0 0; }
.secret { display: block; font: 1.25rem/1.5 ui-monospace, monospace; background: var(--ground); border: 1px solid var(--field); border-radius: 0.375rem; padding: 0.75rem;
  overflow-wrap: anywhere; user-select: all; margin-bottom: 0.75rem; }
.terminal-frame { overflow-x: auto; background: #000000; padding: 0.5rem; margin-bottom: 0.75rem; }
@media (max-width: 36rem) {
  .stacked thead { position: absolute; left: -999rem; }
  .stacked tr { display: block; padding: 0.75rem 0; border-bottom: 1px solid var(--line); }
  .stacked tr:last-child { border-bottom: 0; }
  .stacked th, .stacked td { display: block; border: 0; padding: 0.125rem 0; }
  .buttons > *, .buttons button { width: 100%; text-align: center; }
}
`;

/**
 * The page's only script. Without it, all works: progress is seen by "Refresh", and a sign-in needs one more click.
 * A page that shows what runs asks for itself again every few seconds, and is loaded anew when that is over.
 */
export const SCRIPT = `'use strict';
(() => {
  const form = document.querySelector('form[data-submit]');
  if (form) return form.requestSubmit();
  const live = document.querySelector('[data-live]');
  if (!live) return;
  setInterval(async () => {
    const answer = await fetch(location.href, { credentials: 'same-origin' }).catch(() => undefined);
    if (!answer || answer.status >= 500) return;
    const next = new DOMParser().parseFromString(await answer.text(), 'text/html').querySelector('[data-live]');
    if (!next) location.reload();
    else if (next.innerHTML !== live.innerHTML) live.replaceChildren(...next.childNodes);
  }, 3000);
})();
`;

export const ICON = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="6" fill="#0a58ca"/><path d="M7 9h18v5H7zm0 9h18v5H7z" fill="#fff"/></svg>
`;
