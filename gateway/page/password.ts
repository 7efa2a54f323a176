/** A new password of root: made here and shown once, or chosen. It leaves this process as a hash, sealed for the guest's dom0. */
import { createHash } from 'node:crypto';
import { hashPassword } from '../../client/guests/password.ts';
import { defined } from '../../contract/defined.ts';
import { HttpRefusal } from '../../system/http/problem.ts';
import type { PageKeys } from './keys.ts';
import { markup, type Markup } from './markup.ts';
import { refusedAttributes, refusedNote } from './refused.ts';
import type { Texts } from './texts/en.ts';

const [SHORTEST, LONGEST] = [12, 128];

/** Letters and digits that nobody takes for one another. */
const ALPHABET = 'abcdefghjkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789';
const MADE_LENGTH = 20;

/** A password by its hash; one that was made here is shown once. */
interface NewPassword {
  readonly passwordHash: string;
  readonly made?: string;
}

/**
 * The password that a form wishes.
 *
 * @param request id of the form: sent twice, it makes the same password twice, since it is also the same operation
 * @throws HttpRefusal 422 `password` when the chosen one is too short, too long, or has control characters
 */
export async function newPassword(keys: PageKeys, form: ReadonlyMap<string, string>, request: string): Promise<NewPassword> {
  const made = form.get('how') === 'own' ? undefined : makePassword(keys, request);
  const chosen = form.get('password') ?? '';
  if (made === undefined && (chosen.length < SHORTEST || Buffer.byteLength(chosen) > LONGEST || /[\u0000-\u001f\u007f]/.test(chosen)))
    throw new HttpRefusal(422, 'password', 'the password must have 12 to 128 characters');
  const passwordHash = await hashPassword(made ?? chosen);
  return { passwordHash, ...defined({ made }) };
}

/** As random as the keys and the form's id are: the remainder of so long a number favours no character noticeably. */
function makePassword(keys: PageKeys, request: string): string {
  let rest = BigInt(`0x${createHash('sha512').update(keys.sign('password', request)).digest('hex')}`);
  const base = BigInt(ALPHABET.length);
  return Array.from({ length: MADE_LENGTH }, () => {
    const character = ALPHABET[Number(rest % base)] ?? '';
    rest /= base;
    return character;
  }).join('');
}

/** The fields of the form. */
export function passwordFields(texts: Texts, isWrong: boolean): Markup {
  return markup`${refusedNote(isWrong, texts.errors.password)}
<fieldset><legend>${texts.passwordHow}</legend>
<div class="choice"><input type="radio" name="how" id="make" value="make"${isWrong ? '' : CHECKED}><label for="make">${texts.passwordMake}</label></div>
<div class="choice"><input type="radio" name="how" id="own" value="own"${isWrong ? CHECKED : ''}><label for="own">${texts.passwordOwn}</label></div>
<input name="username" value="root" autocomplete="username" hidden>
<label for="password">${texts.passwordField}</label>
<input type="password" name="password" id="password" maxlength="${LONGEST}" autocomplete="new-password"${refusedAttributes(isWrong)}>
<p class="hint" id="rule">${texts.passwordRule}</p>
</fieldset>`;
}

const CHECKED = markup` checked`;

/** The page that shows it, this once. */
export function madeView(made: string, guestPath: string, texts: Texts): Markup {
  return markup`<h1>${texts.passwordSet}</h1>
<div class="card">
<p id="shown"><strong>${texts.passwordShown}</strong></p>
<code class="secret" aria-labelledby="shown" role="textbox" aria-readonly="true" tabindex="0">${made}</code>
<p>${texts.passwordOnce}</p>
<p><a class="button main" href="${guestPath}">${texts.back}</a></p>
</div>`;
}
