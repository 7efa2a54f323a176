/** HTML that is escaped by construction: only the template's own text is markup, and whatever stands in it is text. */

/** A piece of HTML. There is no other way to make one than `markup`. */
export class Markup {
  readonly #text: string;

  /** For `markup` alone. */
  constructor(strings: readonly string[], values: readonly Piece[]) {
    this.#text = strings.map((part, index) => (index === 0 ? part : textOf(values[index - 1]) + part)).join('');
  }

  toString(): string {
    return this.#text;
  }
}

/** What may stand in a template. `undefined` and `false` are nothing. */
export type Piece = Markup | string | number | false | undefined | readonly Piece[];

/** HTML from a template. What stands in an attribute must be between double quotes. */
export function markup(strings: TemplateStringsArray, ...values: readonly Piece[]): Markup {
  return new Markup(strings, values);
}

function textOf(piece: Piece): string {
  if (piece === undefined || piece === false) return '';
  if (piece instanceof Markup) return piece.toString();
  return typeof piece === 'object' ? piece.map(textOf).join('') : escape(String(piece));
}

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

function escape(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ENTITIES[character] ?? '');
}
