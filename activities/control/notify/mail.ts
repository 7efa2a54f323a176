/** Mail to operators, by SMTP. */
import { ApplicationFailure } from '@temporalio/common';
import { createTransport } from 'nodemailer';

/** Where mail is handed over, and to whom it goes. */
export interface MailReceiver {
  readonly host: string;
  readonly port: number;
  /** `starttls`: required after the greeting. `tls`: from the first byte. `none`: plain, never with a password. */
  readonly security: 'starttls' | 'tls' | 'none';
  readonly from: string;
  readonly to: readonly string[];
  readonly login?: { readonly user: string; readonly password: string };
  /** Certificates that are trusted, PEM. Default: those of Node. */
  readonly ca?: string;
}

/** A mail server answers within this, or is tried again later, in milliseconds. */
const ANSWER_MS = 20_000;

/**
 * Sends one mail. What is refused for good (5xx) is not tried again; anything else is.
 *
 * @param id of the notice: the same for every attempt, so that a mail that came twice is seen to be one
 * @param limitMs for each of: connecting, greeting, each answer. Default: 20 s
 */
export async function sendMail(
  { host, port, security, from, to, login, ca }: MailReceiver,
  { id, subject, text }: { readonly id: string; readonly subject: string; readonly text: string },
  limitMs = ANSWER_MS,
): Promise<string> {
  const transport = createTransport({
    host,
    port,
    secure: security === 'tls',
    requireTLS: security === 'starttls',
    ignoreTLS: security === 'none',
    ...(login === undefined ? {} : { auth: { user: login.user, pass: login.password } }),
    ...(ca === undefined ? {} : { tls: { ca } }),
    connectionTimeout: limitMs,
    greetingTimeout: limitMs,
    socketTimeout: limitMs,
    dnsTimeout: limitMs,
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  try {
    await transport.sendMail({ from, to: [...to], subject, text, messageId: `<${id}@guestflow>` });
    return `the mail server ${host} took it`;
  } catch (error) {
    throw failureOf(error, host);
  } finally {
    transport.close();
  }
}

/** The code of the answer, and nothing else of it: a server's text may quote what it was sent. */
function failureOf(error: unknown, host: string): ApplicationFailure {
  const { responseCode, code } = (typeof error === 'object' && error !== null ? error : {}) as { responseCode?: unknown; code?: unknown };
  const answer =
    typeof responseCode === 'number' ? `answered ${String(responseCode)}` : `failed: ${typeof code === 'string' ? code : 'unknown reason'}`;
  return ApplicationFailure.create({
    type: 'Unreachable',
    message: `the mail server ${host} ${answer}`,
    nonRetryable: typeof responseCode === 'number' && responseCode >= 550 && responseCode < 555,
  });
}
