/** Paths of a guest's files, as they are given on the command line: written as they are shown. */
import { GuestflowError } from '../../contract/errors.ts';

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
