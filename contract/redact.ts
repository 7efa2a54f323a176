/** What may be repeated of a text that a person or a tool wrote: all but a password that stands in an address. Pure. */

/** User and password before the last `@` of an address, the sign percent-encoded, too; and what stands where a port would, and is none. */
const USER_INFO = /\/\/[^\s"'<>]*(?:@|%40)/gi;
const NO_PORT = /(\/\/[^\s/:@"'<>]+):(?!\d{1,5}(?![^\s/"'<>]))[^\s/"'<>]+/g;
/** The same without a scheme, as in `user:password@mirror`. */
const BARE_USER_INFO = /[^\s"'<>/@:]+:[^\s"'<>]*@/g;
/** `?token=…`: behind an address only, a question may end with a question mark. */
const QUERY = /(\/\/[^\s"'<>?#]*)[?#][^\s"'<>]+/g;

/**
 * The text without what could be a password in an address. Shortens too much rather than too little: `http://a:b@c/` → `http://…@c/`.
 * For error messages, progress lines and logs, whoever wrote the text.
 */
export function withoutPasswords(text: string): string {
  return text.replaceAll(USER_INFO, '//…@').replaceAll(BARE_USER_INFO, '…@').replaceAll(NO_PORT, '$1:…').replaceAll(QUERY, '$1?…');
}
