/** For whom something of a guest is opened: a console, or a backup. */
import type { Grant } from '../console/session.ts';
import { customerOf, type Subject } from '../v1/subjects.ts';
import { sessionHolder, type Pass } from './sessions.ts';

/** For who is signed in, until the session ends. */
export function grantOf(guest: string, session: Pass): Grant {
  const { subject, expires: until } = session;
  return { guest, holder: sessionHolder(session), by: byOf(subject), of: customerOf(subject) ?? guest, until };
}

function byOf(subject: Subject): string {
  if (subject.kind === 'provider') return subject.kind;
  return subject.kind === 'customer' ? `customer ${subject.customer}` : `guest ${subject.guest}`;
}
