/** Names of a guest's files, as people are shown them. */

const hex = (byte: number): string => `\\x${byte.toString(16).padStart(2, '0')}`;

/**
 * They are bytes: what is no text, or could steer a terminal, is written `\xNN`, and a backslash is doubled.
 *
 * @param name bytes, as Latin-1
 */
export function shownName(name: string): string {
  const bytes = Buffer.from(name, 'latin1');
  const text = bytes.toString('utf8');
  if (!Buffer.from(text).equals(bytes)) return name.replace(/[\\\u0000-\u001f\u007f-\u00ff]/g, escaped);
  // Control characters, formats that turn the writing around, and what has no character.
  return text.replace(/[\\\p{C}\u2028\u2029]/gu, (character) =>
    character === '\\' ? '\\\\' : [...Buffer.from(character)].map(hex).join(''),
  );
}

function escaped(character: string): string {
  return character === '\\' ? '\\\\' : hex(character.charCodeAt(0));
}
