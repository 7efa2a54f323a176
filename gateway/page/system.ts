/** Which system a server gets when it is reinstalled. */
import { DISTRIBUTIONS, distributionOf, type Distribution } from '../../contract/distributions.ts';
import type { GuestStatus } from '../../contract/guest.ts';
import { HttpRefusal } from '../../system/http/problem.ts';
import { markup, type Markup } from './markup.ts';
import { refusedNote } from './refused.ts';
import type { Texts } from './texts/en.ts';

/**
 * The distributions that a server may get: its own, and those of the same makers, whose archive its dom0 knows, since it made this one. One that is no longer
 * mended is offered only where it is there already.
 */
function offeredTo({ spec }: GuestStatus): readonly Distribution[] {
  const own = spec && distributionOf(spec.os.dist);
  const today = new Date().toISOString().slice(0, 10);
  return DISTRIBUTIONS.filter((each) => each.name === own?.name || (each.family === own?.family && each.endOfLife >= today));
}

/**
 * What a form wishes. Without a choice, the distribution stays.
 *
 * @throws HttpRefusal 422 `dist` when it is none of those that are offered
 */
export function newSystem(form: ReadonlyMap<string, string>, status: GuestStatus): { readonly dist?: string } {
  const dist = form.get('dist') ?? '';
  if (dist === '') return {};
  if (!offeredTo(status).some(({ name }) => name === dist)) throw new HttpRefusal(422, 'dist', 'this system is not offered');
  return { dist };
}

/**
 * The field of the form.
 *
 * @param wrong the form that was sent, and refused. Default: it is shown for the first time
 */
export function systemFields(texts: Texts, status: GuestStatus, wrong?: ReadonlyMap<string, string>): Markup | false {
  const offered = offeredTo(status);
  if (offered.length === 0) return false;
  const options = offered.map(
    ({ name, title }) => markup`<option value="${name}"${name === status.spec?.os.dist && SELECTED}>${title} (${name})</option>`,
  );
  return markup`${refusedNote(wrong !== undefined, texts.errors.dist)}<label for="dist">${texts.systemField}</label>
<select name="dist" id="dist">${options}</select>`;
}

const SELECTED = markup` selected`;
