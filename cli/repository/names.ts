/** Names of a guest's files. They are bytes: what is no text, or could steer a terminal, is written `\xNN`, and a backslash is doubled. */
import { GuestflowError } from '../../contract/errors.ts';

const hex = (byte: number): string => `\\x${byte.toString(16).padStart(2, '0')}`;

/** @param name bytes, as Latin-1 */
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

/** The path of a file in a guest, as Latin-1, without slashes at its ends. @throws InvalidInput */
export function parsePath(field: string, text: string): string {
  const refuse = (why: string): never => {
    throw new GuestflowError('InvalidInput', `--${field} ${JSON.stringify(text)} ${why}`, { field, value: text });
  };
  const bytes = Buffer.from(text)
    .toString('latin1')
    .replace(/\\(x[0-9a-fA-F]{2}|\\|)/g, (_, word: string) => {
      if (word === '') return refuse('has a backslash alone: write two for one, and \\x0a for a byte');
      return word === '\\' ? word : String.fromCharCode(parseInt(word.slice(1), 16));
    });
  const parts = bytes.split('/').filter((part) => part !== '' && part !== '.');
  if (parts.includes('..')) refuse('has ".." in it: name a path from the root of the guest');
  if (bytes.includes('\0')) refuse('has a zero byte in it');
  return parts.join('/');
}

/** Without those that are in one of the others. */
export function outermost(paths: readonly string[]): string[] {
  const all = [...new Set(paths)];
  return all.filter((path) => !all.some((other) => other !== path && (other === '' || path.startsWith(`${other}/`))));
}
