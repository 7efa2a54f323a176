/** The forms of the actions that need more than a button: what they show, and what they wish. */
import type { GuestStatus } from '../../contract/guest.ts';
import type { FormName, Wish } from './actions.ts';
import type { PageKeys } from './keys.ts';
import type { Markup } from './markup.ts';
import { newPassword, passwordFields } from './password.ts';
import { keysFields, newKeys } from './ssh-keys.ts';
import type { Texts } from './texts/en.ts';

/** A form that was sent. */
export interface Sent {
  readonly keys: PageKeys;
  readonly form: ReadonlyMap<string, string>;
  /** Id of the form: sent twice, it is the same wish. */
  readonly request: string;
  readonly status: GuestStatus;
}

export interface AccessForm {
  /** @param wrong the form that was sent, and refused. Default: it is shown for the first time */
  readonly fields: (texts: Texts, status: GuestStatus, wrong?: ReadonlyMap<string, string>) => Markup;
  /** @throws HttpRefusal 422, whose code is the form's name, when what was sent cannot be used */
  readonly wish: (sent: Sent) => Wish | Promise<Wish>;
  /** What its button says. */
  readonly button: (texts: Texts) => string;
}

export const FORMS: Readonly<Record<FormName, AccessForm>> = {
  password: {
    fields: (texts, _status, wrong) => passwordFields(texts, wrong !== undefined),
    wish: ({ keys, form, request, status }) => newPassword(keys, form, request, status),
    button: ({ change }) => change,
  },
  keys: {
    fields: (texts, status, wrong) => keysFields(texts, status, wrong?.get('keys')),
    wish: ({ form, status }) => ({ access: newKeys(form, status) }),
    button: ({ changeKeys }) => changeKeys,
  },
};
