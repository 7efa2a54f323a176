/**
 * Schemas of what activities take: the dom0 worker is root and checks again what the control worker sends, whoever that may be.
 * (`order.ts` has the schemas of what people write.)
 */
import { z } from 'zod';
import { DOM0_NAME_PATTERN, ORDER_ID_PATTERN, whyNotGuestName } from './guest-name.ts';
import { HOSTNAME_PATTERN, LONGEST_HOSTNAME } from './host-name.ts';
import type { GuestOrder, GuestRef, GuestSpec } from './types.ts';

const name = z.string().superRefine((value, context) => {
  const reason = whyNotGuestName(value);
  if (reason !== undefined) context.addIssue({ code: 'custom', message: reason });
});
const order = z.string().regex(ORDER_ID_PATTERN, 'is no order id');
const dom0 = z.string().regex(DOM0_NAME_PATTERN, 'is no name of a dom0');
const bytes = z.number().int().positive().max(Number.MAX_SAFE_INTEGER);
const word = z.string().regex(/^[A-Za-z0-9_.,:=/@+-]{1,100}$/, 'has a character that a kernel command line word cannot have');
const bridge = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,14}$/, 'is no name of a bridge');
const mac = z.string().regex(/^[0-9A-F][02468ACE](:[0-9A-F]{2}){5}$/, 'is no unicast MAC address in upper case');
const ipv6 = z.object({ address: z.ipv6(), gateway: z.ipv6() });
const roleName = z.string().regex(/^[a-z0-9][a-z0-9_-]{0,40}$/, 'is no name of a xen-tools role');
const mirror = z.url({ protocol: /^https?$/ }).max(300);
const timezone = z.string().regex(/^[A-Za-z0-9_+-]+(\/[A-Za-z0-9_+-]+){0,2}$/, 'is no time zone');
/** One line, no control characters: it becomes a line of `authorized_keys`. */
const sshKey = z
  .string()
  .max(4_096)
  .regex(
    /^(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(256|384|521)|sk-ssh-ed25519@openssh\.com|sk-ecdsa-sha2-nistp256@openssh\.com) [A-Za-z0-9+/]+={0,3}( [\x20-\x7e]*)?$/,
    'is no OpenSSH public key',
  );
const passwordHash = z
  .string()
  .max(300)
  .regex(/^\$(5|6|y|7|gy|2[aby])\$[A-Za-z0-9./$=,]+$/, 'is no crypt(5) hash');

/** Boxes of `sealed-box.ts`. */
const sealedPassword = z.record(dom0, z.string().regex(/^[A-Za-z0-9_-]{60,1000}$/, 'is no sealed box'));

const decided = {
  order,
  name,
  hostname: z.string().max(LONGEST_HOSTNAME).regex(HOSTNAME_PATTERN, 'is no host name').exactOptional(),
  customer: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, 'is no customer id')
    .exactOptional(),
  plan: z.string().regex(/^[a-z0-9][a-z0-9_-]{0,40}$/, 'is no name of a plan'),
  dom0,
  type: z.enum(['pv', 'pvh']),
  memoryBytes: bytes,
  vcpus: z.number().int().min(1).max(512),
  maxMemoryBytes: bytes.exactOptional(),
  maxVcpus: z.number().int().min(1).max(512).exactOptional(),
  diskBytes: bytes,
  swapBytes: bytes,
  dist: z.string().regex(/^[a-z][a-z0-9-]{0,30}$/, 'is no name of a distribution'),
  fs: z.enum(['ext4', 'ext3']),
  fsOptions: z.string().regex(/^[a-z0-9=_,-]{1,200}$/, 'are no mount options'),
  image: z.enum(['sparse', 'full']),
  installMethod: z.enum(['golden', 'debootstrap']),
  serialDevice: z.string().regex(/^[a-z]{1,8}[0-9]{1,3}$/, 'is no console device'),
  timezone,
  retention: z.object({ daily: z.number().int().min(1).max(1000) }),
  managed: z.boolean(),
  sshKeys: z.array(sshKey).max(50),
  passwordHash: passwordHash.exactOptional(),
  sealedPassword: sealedPassword.exactOptional(),
  mirror: mirror.exactOptional(),
  role: roleName.exactOptional(),
  extra: z.array(word).max(50),
  backupAt: z
    .string()
    .regex(/^([01][0-9]|2[0-3]):[0-5][0-9]$/, 'is no time of day, HH:MM')
    .exactOptional(),
  graceDays: z.number().min(0).max(365),
  keepBackupsDays: z.number().min(0).max(3650).exactOptional(),
  restart: z.enum(['always', 'on-crash', 'never']).exactOptional(),
  suspend: z.enum(['shutdown', 'pause']).exactOptional(),
};

export const guestRefSchema = z.object({ name, order, dom0 }) satisfies z.ZodType<GuestRef>;

export const guestOrderWireSchema = z.object({
  ...decided,
  ip: z.ipv4().exactOptional(),
  netmask: z.ipv4().exactOptional(),
  gateway: z.ipv4().exactOptional(),
  bridge: bridge.exactOptional(),
  mac: mac.exactOptional(),
}) satisfies z.ZodType<GuestOrder>;

export const guestSpecSchema = z.object({
  ...decided,
  network: z.object({ ip: z.ipv4(), netmask: z.ipv4(), gateway: z.ipv4(), bridge, mac, ipv6: ipv6.exactOptional() }),
}) satisfies z.ZodType<GuestSpec>;

/** A lease of the ledger. */
export const reservationSchema = z.object({
  ip: z.ipv4(),
  netmask: z.ipv4(),
  gateway: z.ipv4(),
  bridge,
  mac: mac.exactOptional(),
  ipv6: ipv6.exactOptional(),
});
