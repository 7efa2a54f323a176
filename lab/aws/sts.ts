/** AWS STS, of which only AssumeRole is played: a role is lent to who may have it and knows its external id. */
import { randomBytes } from 'node:crypto';
import { AwsRefusal } from './refusal.ts';
import type { Credentials } from './signature.ts';

/** A role, and whom it trusts. */
export interface Role {
  readonly arn: string;
  readonly externalId: string;
}

const LENT_MS = 3_600_000;

/** Lends one role. */
export class Sts {
  private readonly role: Role;
  private readonly lent = new Map<string, Credentials & { readonly until: number }>();

  constructor(role: Role) {
    this.role = role;
  }

  /** Credentials that were lent and have not expired. */
  readonly credentialsOf = (accessKeyId: string): Credentials | undefined => {
    const found = this.lent.get(accessKeyId);
    return found !== undefined && found.until > Date.now() ? found : undefined;
  };

  /**
   * Answers the body of a request to assume the role.
   *
   * @throws AwsRefusal
   */
  assume(body: string): Response {
    const form = new URLSearchParams(body);
    if (form.get('Action') !== 'AssumeRole' || form.get('Version') !== '2011-06-15')
      throw new AwsRefusal(400, 'InvalidAction', 'this stand-in knows AssumeRole of 2011-06-15 only');
    const wanted = form.get('RoleArn') ?? '';
    // The trust policy asks for the external id: without it, anybody's Temporal could use the role.
    if (wanted !== this.role.arn || form.get('ExternalId') !== this.role.externalId)
      throw new AwsRefusal(403, 'AccessDenied', `not authorized to perform: sts:AssumeRole on resource: ${wanted}`);
    const credentials = {
      accessKeyId: `ASIA${randomBytes(8).toString('hex').toUpperCase()}`,
      secretAccessKey: randomBytes(24).toString('hex'),
      sessionToken: randomBytes(32).toString('hex'),
    };
    const until = Date.now() + LENT_MS;
    this.lent.set(credentials.accessKeyId, { ...credentials, until });
    return new Response(this.answer(credentials, new Date(until).toISOString()), { headers: { 'content-type': 'text/xml' } });
  }

  private answer({ accessKeyId, secretAccessKey, sessionToken }: Required<Credentials>, until: string): string {
    const role = this.role.arn.slice(this.role.arn.lastIndexOf('/') + 1);
    return `<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>
<AccessKeyId>${accessKeyId}</AccessKeyId><SecretAccessKey>${secretAccessKey}</SecretAccessKey><SessionToken>${sessionToken}</SessionToken>
<Expiration>${until}</Expiration></Credentials><AssumedRoleUser><Arn>arn:aws:sts::${this.role.arn.split(':')[4] ?? ''}:assumed-role/${role}/session</Arn>
<AssumedRoleId>AROASTANDIN:session</AssumedRoleId></AssumedRoleUser></AssumeRoleResult></AssumeRoleResponse>`;
  }
}

/** A refusal of STS, in XML. */
export function stsRefusal({ status, code, message }: AwsRefusal): Response {
  const text = message.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
  const xml = `<ErrorResponse><Error><Type>Sender</Type><Code>${code}</Code><Message>${text}</Message></Error></ErrorResponse>`;
  return new Response(xml, { status, headers: { 'content-type': 'text/xml' } });
}
