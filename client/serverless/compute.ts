/** What Temporal must know to start a function when there is work for it: which function, and which role it takes on to invoke it. */
import { GuestflowError } from '../../contract/errors.ts';

/** A function of AWS Lambda, and the role that invokes it. */
export interface Compute {
  /** ARN of the function with a version or an alias, so that it stays this build. */
  readonly functionArn: string;
  /** ARN of the role. */
  readonly roleArn: string;
  /** The role's trust policy asks for it. No secret, but nobody else's either. */
  readonly externalId: string;
}

const FUNCTION = /^arn:(aws|aws-cn|aws-us-gov):lambda:[a-z]{2}(-[a-z]+)+-\d:(\d{12}):function:[\w-]{1,64}(:[\w$-]{1,128})?$/;
const ROLE = /^arn:(aws|aws-cn|aws-us-gov):iam::(\d{12}):role\/[\w+=,.@/-]{1,512}$/;
const EXTERNAL_ID = /^[\w+=,.@:/-]{2,1224}$/;

/**
 * Checks the forms, without asking anybody.
 *
 * @throws GuestflowError InvalidInput with the field
 */
export function checkCompute({ functionArn, roleArn, externalId }: Compute): void {
  const bad = (field: string, value: string, reason: string): GuestflowError =>
    new GuestflowError('InvalidInput', `--${field} "${value}" ${reason}`, { field, value });
  const [, partition, , , qualifier] = FUNCTION.exec(functionArn) ?? [];
  if (partition === undefined)
    throw bad('function', functionArn, 'is no ARN of a function: arn:aws:lambda:REGION:ACCOUNT:function:NAME:VERSION');
  if (qualifier === undefined || qualifier === ':$LATEST')
    throw bad(
      'function',
      functionArn,
      'names no published version and no alias: the next upload would change a build that workflows are pinned to',
    );
  const role = ROLE.exec(roleArn);
  if (role === null) throw bad('role', roleArn, 'is no ARN of a role: arn:aws:iam::ACCOUNT:role/NAME');
  if (role[1] !== partition) throw bad('role', roleArn, `is of another partition than the function (${partition})`);
  if (!EXTERNAL_ID.test(externalId)) throw bad('external-id', externalId, 'must have 2 to 1224 letters, digits and + = , . @ : / -');
}

/** Encoded as Temporal's own tools do it. */
export interface PlainPayload {
  readonly metadata: { readonly encoding: Uint8Array };
  readonly data: Uint8Array;
}

/**
 * Milliseconds between two looks at what waits in the task queue: Temporal's least. A task that found nobody is told of once; what comes of it (the invocation
 * was refused, the process died) is noticed by the next look. Temporal's default is a minute.
 */
const LOOK_EVERY_MS = 10_000;

function jsonPayload(value: unknown): PlainPayload {
  return { metadata: { encoding: Buffer.from('json/plain') }, data: Buffer.from(JSON.stringify(value)) };
}

/** Temporal's form of it: one group for all kinds of tasks, started when a task finds nobody who polls. */
export function computeConfig({ functionArn, roleArn, externalId }: Compute): {
  readonly scalingGroups: Readonly<
    Record<string, { provider: { type: string; details: PlainPayload }; scaler: { type: string; details: PlainPayload } }>
  >;
} {
  const details = jsonPayload({ arn: functionArn, role: roleArn, role_external_id: externalId });
  const scaler = { type: 'no-sync', details: jsonPayload({ metrics_poll_interval_ms: LOOK_EVERY_MS }) };
  return { scalingGroups: { default: { provider: { type: 'aws-lambda', details }, scaler } } };
}

/** The function of a version that Temporal describes; undefined when it has none, or something else than Lambda. */
export function functionOf(config: DescribedConfig | null | undefined): string | undefined {
  const data = config?.scalingGroups?.['default']?.provider?.details?.data;
  if (data === null || data === undefined) return undefined;
  const { arn } = JSON.parse(Buffer.from(data).toString()) as { arn?: unknown };
  return typeof arn === 'string' ? arn : undefined;
}

/** As Temporal's messages have it: everything may be missing. */
interface DescribedConfig {
  readonly scalingGroups?: Readonly<
    Record<string, { readonly provider?: { readonly details?: { readonly data?: Uint8Array | null } | null } | null }>
  > | null;
}
