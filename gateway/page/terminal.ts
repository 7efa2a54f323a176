/** The script of the pages with a terminal: it asks for a ticket, connects, and shows what comes. Never more than the page says is kept of it. */

/**
 * The page's policy lets no style in but those of the page itself. The terminal makes style elements, which get the nonce of the page here, and sets the
 * attribute `style`, which is set as a property instead: a policy lets scripts do that.
 */
const STYLES = `
  const { nonce } = document.currentScript;
  const create = document.createElement.bind(document);
  document.createElement = (...all) => {
    const element = create(...all);
    if (element instanceof HTMLStyleElement) element.nonce = nonce;
    return element;
  };
  const setAttribute = Element.prototype.setAttribute;
  Element.prototype.setAttribute = function (name, value) {
    if (name === 'style') this.style.cssText = value;
    else setAttribute.call(this, name, value);
  };
`;

/** Longest message that the gateway takes is 16 KiB; a paste may be longer. */
const PIECE = 8_192;

export const TERMINAL_SCRIPT = `'use strict';
(() => {${STYLES}
  const place = document.querySelector('[data-console]');
  if (!place || typeof Terminal === 'undefined') return;
  place.hidden = false;
  document.querySelector('[data-no-script]').hidden = true;
  const words = JSON.parse(place.dataset.words);
  const state = place.querySelector('[data-state]');
  const form = place.querySelector('form');
  const close = place.querySelector('[data-close]');
  const say = (word) => { state.textContent = words[word] ?? words.unavailable; };
  const terminal = new Terminal({
    cols: 80,
    rows: 24,
    scrollback: 2000,
    screenReaderMode: true,
    fontFamily: 'ui-monospace, monospace',
    // What a server calls a link (OSC 8) leads nowhere: the text that is shown need not be where it leads.
    linkHandler: { activate: () => undefined },
  });
  terminal.open(place.querySelector('[data-terminal]'));
  // Tab is for the server. Who works without a mouse leaves by this.
  terminal.attachCustomKeyEventHandler((event) => {
    if (event.key !== 'F6' || !event.ctrlKey || !event.shiftKey) return true;
    if (event.type === 'keydown') (close.hidden ? form?.querySelector('button') : close)?.focus();
    event.preventDefault();
    return false;
  });
  let socket;
  const send = (bytes) => {
    for (let at = 0; socket && socket.readyState === 1 && at < bytes.length; at += ${PIECE}) socket.send(bytes.subarray(at, at + ${PIECE}));
  };
  let isOpen = false;
  const encoder = new TextEncoder();
  terminal.onData((text) => { if (isOpen) send(encoder.encode(text)); });
  terminal.onBinary((text) => { if (isOpen) send(Uint8Array.from(text, (character) => character.charCodeAt(0))); });
  const show = (word) => {
    say(word);
    const isIdle = word !== 'connecting' && word !== 'open';
    isOpen = word === 'open';
    close.hidden = isIdle;
    if (form) form.hidden = !isIdle;
  };
  const connect = (ticket) => {
    socket = new WebSocket(location.origin.replace(/^http/, 'ws') + '/console/browser');
    socket.binaryType = 'arraybuffer';
    socket.onopen = () => socket.send(JSON.stringify({ ticket }));
    socket.onmessage = ({ data }) => {
      if (typeof data !== 'string') return terminal.write(new Uint8Array(data));
      show('open');
      terminal.focus();
    };
    socket.onclose = ({ reason }) => {
      show(reason || 'unavailable');
      form?.querySelector('button').focus();
    };
  };
  const ask = async () => {
    show('connecting');
    terminal.reset();
    const answer = await fetch(form.action, { method: 'POST', body: new URLSearchParams(new FormData(form)) }).catch(() => undefined);
    if (answer?.ok) connect((await answer.json()).ticket);
    else show(answer?.status === 401 ? 'signed-out' : 'unavailable');
  };
  close.onclick = () => socket?.close(4000, 'closed');
  if (form) {
    form.onsubmit = (event) => {
      event.preventDefault();
      ask();
    };
    ask();
  } else {
    const ticket = location.hash.slice(1);
    history.replaceState(null, '', location.pathname);
    if (ticket === '') show('ticket');
    else {
      show('connecting');
      connect(ticket);
    }
  }
})();
`;
