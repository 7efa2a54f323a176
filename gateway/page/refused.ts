/** A field whose content was refused: what is said above it, and how it says of itself that it is wrong. */
import { markup, type Markup } from './markup.ts';

/** Stands above the field, which names it by `refusedAttributes`. */
export function refusedNote(isWrong: boolean, reason: string): Markup {
  return markup`${isWrong && markup`<p id="wrong" class="unusable" role="alert"><strong>${reason}</strong></p>`}`;
}

/** Attributes of the field, whose rule is the element `rule`. */
export function refusedAttributes(isWrong: boolean): Markup {
  return isWrong ? markup` aria-describedby="rule wrong" aria-invalid="true"` : markup` aria-describedby="rule"`;
}
