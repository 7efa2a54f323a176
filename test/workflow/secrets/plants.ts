/** What is planted, and how it is looked for. */
import { randomBytes } from 'node:crypto';

/** No two runs on this machine share a dom0: a second worker of one would not start. */
export const PLANTED_DOM0 = `planted-${randomBytes(4).toString('hex')}`;
export const NETWORK = { cidr: '10.71.0.0/24', gateway: '10.71.0.1' };

const word = (bytes = 12): string => randomBytes(bytes).toString('hex');
const webhookSecret = (): string => `whsec_${randomBytes(24).toString('base64')}`;
/** In the form of crypt(5). */
const hash = (): string => `$6$${word(8)}$${randomBytes(64).toString('hex').slice(0, 86)}`;

/** Secrets, one for each way in. */
export function plant() {
  return {
    password: `Pw${word()}`,
    passwordOfFailingOrder: `Pw${word()}`,
    passwordInFile: `Pw${word()}`,
    passwordSetLater: `Pw${word()}`,
    hashSetLater: hash(),
    passwordInRequest: `Pw${word()}`,
    hashFromBilling: hash(),
    hashFromApi: hash(),
    privateKey: word(32),
    stripeSecret: `whsec_${word()}`,
    signupSecret: webhookSecret(),
    notifySecret: webhookSecret(),
    codecKey: randomBytes(32).toString('base64'),
    guessedToken: `gf_${word()}`,
  };
}

/** What is private and no secret: only encryption keeps it from those who may read Temporal. */
export function plantNames() {
  return {
    ip: '10.71.0.77',
    hostname: `h${word(6)}.customer.example`,
    customer: `C${word(6)}`,
    keyComment: `laptop-${word(6)}`,
  };
}

/** The bytes as they are, in hexadecimal, and in base64 wherever in a longer text they began. */
export function disguises(secret: string): Buffer[] {
  const bytes = Buffer.from(secret);
  const inBase64 = [0, 1, 2].map((shift) => {
    const text = Buffer.concat([Buffer.alloc(shift), bytes])
      .toString('base64')
      .replace(/=+$/, '');
    // The first and the last characters depend on what stands beside.
    return Buffer.from(text.slice(shift === 0 ? 0 : shift + 1, -1));
  });
  return [bytes, Buffer.from(bytes.toString('hex')), ...inBase64];
}

/** Names of the places that hold the text in any disguise. */
export function placesOf(secret: string, evidence: ReadonlyMap<string, Buffer>): string[] {
  const needles = disguises(secret);
  return [...evidence].filter(([, bytes]) => needles.some((needle) => bytes.includes(needle))).map(([place]) => place);
}

/** All texts and bytes of a structure, however deep. */
export function everythingIn(value: unknown): Buffer {
  const parts: Buffer[] = [];
  const visit = (part: unknown, depth: number): void => {
    if (typeof part === 'string') parts.push(Buffer.from(part));
    else if (part instanceof Uint8Array) parts.push(Buffer.from(part));
    else if (typeof part === 'object' && part !== null && depth < 40)
      for (const [key, inner] of Object.entries(part)) {
        parts.push(Buffer.from(key));
        visit(inner, depth + 1);
      }
  };
  visit(value, 0);
  return Buffer.concat(parts.flatMap((part) => [part, Buffer.from('\n')]));
}
