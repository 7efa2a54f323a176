/** Text of somebody else, made safe and clear to show to a person. Pure. */

/** What moves a cursor, colours a terminal, turns the direction of writing, or is not seen at all. Newlines and tabs are left. */
const UNSEEN = /(?![\n\t])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;

/** Colours, as systemd writes them while it boots. */
const COLOURS = /\u001b\[[0-9;]*m/g;

/** Any but ASCII and letters that a reader of it can tell apart: `\u0435` looks as `e`, a wide `1` as `1`, a fixed blank as a blank. */
const LOOKS_LIKE_ANOTHER = /[^\x20-\x7e]/gu;

function escaped(character: string): string {
  return Array.from({ length: character.length }, (_, index) => `\\u${character.charCodeAt(index).toString(16).padStart(4, '0')}`).join('');
}

/** Text for a terminal: characters that are not seen are written as `\u001b`. */
export function printable(text: string): string {
  return text.replace(UNSEEN, escaped);
}

/** What a guest wrote on its console, which is the tenant's: without colours and carriage returns; whatever else steers a terminal is shown. */
export function printableConsole(text: string): string {
  return printable(text.replace(COLOURS, '').replace(/\r+\n/g, '\n'));
}

/** A word that was refused: characters that look like others are written as `\u0435`, too, or nobody would see what is wrong with it. */
export function plainly(text: string): string {
  return text.replace(LOOKS_LIKE_ANOTHER, (character) =>
    character === '…' || (/\p{Script=Latin}/u.test(character) && character.normalize('NFKC') === character)
      ? character
      : escaped(character),
  );
}
