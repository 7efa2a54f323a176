/** The forms of the actions that need more than a button: what they show, and what they wish. */
import type { GuestStatus } from '../../contract/guest.ts';
import { defined } from '../../contract/defined.ts';
import { howOf, type FormName, type Wish } from './actions.ts';
import type { PageKeys } from './keys.ts';
import type { Markup } from './markup.ts';
import { newPassword, passwordFields } from './password.ts';
import { keysFields, newKeys } from './ssh-keys.ts';
import { newSystem, systemFields } from './system.ts';
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
  readonly fields: (texts: Texts, status: GuestStatus, wrong?: ReadonlyMap<string, string>) => Markup | false;
  /** @throws HttpRefusal 422 with the code `refusal`, when what was sent cannot be used */
  readonly wish: (sent: Sent) => Wish | Promise<Wish>;
  readonly refusal: string;
  /** What its button says. */
  readonly button: (texts: Texts) => string;
}

export const FORMS: Readonly<Record<FormName, AccessForm>> = {
  password: {
    fields: (texts, _status, wrong) => passwordFields(texts, wrong !== undefined),
    wish: async ({ keys, form, request, status }) => {
      const { passwordHash, made } = await newPassword(keys, form, request);
      return { access: { passwordHash, ...howOf(status) }, ...defined({ made }) };
    },
    refusal: 'password',
    button: ({ change }) => change,
  },
  keys: {
    fields: (texts, status, wrong) => keysFields(texts, status, wrong?.get('keys')),
    wish: ({ form, status }) => ({ access: newKeys(form, status) }),
    refusal: 'keys',
    button: ({ changeKeys }) => changeKeys,
  },
  system: {
    fields: systemFields,
    wish: ({ form, status }) => ({ reinstall: newSystem(form, status) }),
    refusal: 'dist',
    button: ({ confirm }) => confirm,
  },
  rescue: {
    fields: (texts, _status, wrong) => passwordFields(texts, wrong !== undefined),
    wish: async ({ keys, form, request }) => {
      const { passwordHash, made } = await newPassword(keys, form, request);
      return { rescue: { passwordHash }, ...defined({ made }) };
    },
    refusal: 'password',
    button: ({ confirm }) => confirm,
  },
};
