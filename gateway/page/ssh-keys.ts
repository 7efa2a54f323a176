/** The SSH keys of root, as a customer gives them: one in each line. */
import type { AccessWish } from '../../client/guests/access.ts';
import type { GuestStatus } from '../../contract/guest.ts';
import { sshKeyLines } from '../../contract/ssh-key.ts';
import { field } from '../../order/field-schemas.ts';
import { HttpRefusal } from '../../system/http/problem.ts';
import { howOf } from './actions.ts';
import { markup, type Markup } from './markup.ts';
import { refusedAttributes, refusedNote } from './refused.ts';
import type { Texts } from './texts/en.ts';

/**
 * What a form wishes. An empty one is refused: who takes all keys away by mistake cannot log in.
 *
 * @throws HttpRefusal 422 `keys` when there is none, when one of them cannot be used, or when there are too many
 */
export function newKeys(form: ReadonlyMap<string, string>, status: GuestStatus): AccessWish {
  const keys = field.sshKeys.safeParse(sshKeyLines(form.get('keys') ?? ''));
  if (!keys.success || keys.data.length === 0) throw new HttpRefusal(422, 'keys', 'give public SSH keys, one in each line');
  return { sshKeys: keys.data, ...howOf(status) };
}

/**
 * The field of the form.
 *
 * @param given what was sent and is wrong. Default: nothing was, and the keys are shown that guestflow has set last
 */
export function keysFields(texts: Texts, { spec }: GuestStatus, given?: string): Markup {
  const isWrong = given !== undefined;
  const lines = given ?? (spec?.access.sshKeys ?? []).join('\n');
  return markup`${refusedNote(isWrong, texts.errors.keys)}
<label for="keys">${texts.keysField}</label>
<textarea name="keys" id="keys" rows="6" spellcheck="false" autocapitalize="off" autocomplete="off"${refusedAttributes(isWrong)}>
${lines}</textarea>
<p class="hint" id="rule">${texts.keysRule}</p>`;
}
