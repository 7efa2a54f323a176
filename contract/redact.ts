/** What may be repeated of a text that a person or a tool wrote: all but a password that stands in an address. Pure. */

/** User and password before the last `@` of an address, the sign percent-encoded, too; and what stands where a port would, and is none. */
const USER_INFO = /\/\/[^\s"'<>]*(?:@|%40)/gi;
const NO_PORT = /(\/\/[^\s/:@"'<>]+):(?!\d{1,5}(?![^\s/"'<>]))[^\s/"'<>]+/g;
/** The same without a scheme, as in `user:password@mirror`. */
const BARE_USER_INFO = /[^\s"'<>/@:]+:[^\s"'<>]*@/g;
/** `?token=…`: behind an address only, a question may end with a question mark. */
const QUERY = /(\/\/[^\s"'<>?#]*)[?#][^\s"'<>]+/g;

/** Characters that are looked at: the patterns take time by the square of a word's length, and texts of senders have megabytes. */
const LONGEST = 4_096;

/** The text, or its beginning. Of a word that is cut, what was cut off may have made it an address: it is kept only when it cannot be one. */
function bounded(text: string): string {
  if (text.length <= LONGEST) return text;
  const head = text.slice(0, LONGEST);
  const word = /[^\s"'<>]*$/.exec(head.slice(-LONGEST))?.[0] ?? '';
  return /[:/@%?]/.test(word) ? `${head.slice(0, LONGEST - word.length)}…` : `${head}…`;
}

/**
 * The text without what could be a password in an address. Shortens too much rather than too little: `http://a:b@c/` → `http://…@c/`.
 * For error messages, progress lines and logs, whoever wrote the text; of a longer one the first 4096 characters.
 */
export function withoutPasswords(text: string): string {
  return bounded(text).replaceAll(USER_INFO, '//…@').replaceAll(BARE_USER_INFO, '…@').replaceAll(NO_PORT, '$1:…').replaceAll(QUERY, '$1?…');
}
