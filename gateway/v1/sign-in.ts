/** Sign-in links to the customer's page: what a shop sends its customer to. */
import { jsonResponse, HttpRefusal } from '../../system/http/problem.ts';
import { declare } from './declaration.ts';
import { signInSchema } from './answers.ts';
import { signInRequestSchema } from './requests.ts';

const signIn = declare({
  method: 'POST',
  path: '/v1/guests/:name/sign-in',
  operationId: 'signIn',
  summary: "Make a link that signs a guest's customer in to the customer's page, once",
  scope: 'guests:sign-in',
  about: 'provider',
  body: { published: 'SignInRequest', checks: signInRequestSchema, mayBeLeftOut: true },
  gives: { 200: ['SignIn', 'The link. Send the customer there at once, and nobody else.'] },
  async answer({ path: { name }, body: { seconds }, note }, { guests, signInLink }) {
    if (signInLink === undefined)
      throw new HttpRefusal(
        409,
        'no-page',
        "this gateway has no customer's page: it was started without --page-origin and --page-key-file",
      );
    const { customer } = await guests.status(name);
    note({ guest: name });
    const subject = customer === undefined ? ({ kind: 'guest', guest: name } as const) : ({ kind: 'customer', customer } as const);
    return jsonResponse(200, signInSchema.parse(signInLink(subject, name, seconds)));
  },
});

export const SIGN_IN_ROUTES = [signIn];
