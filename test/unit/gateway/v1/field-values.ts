/** Edges of each field of an order in `/v1`, and what no JSON Schema can say of them. */
import { whyNotMirrorAddress } from '../../../../contract/mirror.ts';

export interface Edges {
  /** By schema and check. */
  readonly taken: readonly unknown[];
  /** By schema and check. */
  readonly refused: readonly unknown[];
}

const ED25519 = `ssh-ed25519 ${Buffer.concat([Buffer.from([0, 0, 0, 11]), Buffer.from('ssh-ed25519'), Buffer.from([0, 0, 0, 32]), Buffer.alloc(32, 7)]).toString('base64')}`;
const SHA512 = `$6$salt$${'a'.repeat(86)}`;
const choice = (...values: string[]): Edges => ({
  taken: values,
  refused: ['', `${values[0] ?? ''}x`, (values[0] ?? '').toUpperCase(), 1, null],
});
const yesOrNo: Edges = { taken: [true, false], refused: ['true', 1, 0, null, {}] };
const address: Edges = {
  taken: ['1.0.0.1', '126.255.255.254', '128.0.0.1', '169.254.0.1', '192.0.2.9', '223.255.255.255'],
  refused: ['0.1.2.3', '127.0.0.1', '224.0.0.1', '255.255.255.255', '192.0.2.256', '192.0.2.01', '192.0.2', '192.0.2.1/24', '::1', 7, null],
};
const sizes = (taken: string[], refused: string[]): Edges => ({
  taken: [...taken, '1GiB', '1024MiB', ' 1 gib\t', '1.000Gb', '1.5G', '1048576K', '1048576.0KiB'],
  refused: [
    ...refused,
    '',
    '512',
    512,
    '08GiB',
    '1e3MiB',
    '-1GiB',
    '1GiBit',
    '1.0000000G',
    '\u00a01GiB',
    '1GiB\n',
    'x',
    null,
    [],
    `1G${' '.repeat(63)}`,
  ],
});

export const FIELDS: Readonly<Record<string, Edges>> = {
  order: {
    taken: ['A-1', 'a', '0', 0, 17, Number.MAX_SAFE_INTEGER, 'A'.repeat(200), 'cs_test.1-2_3', 'WHMCS-9.'],
    refused: ['', -1, 1.5, 2 ** 53, 1e300, 'A'.repeat(201), '-A', '.A', 'A B', 'A/B', 'é', true, null, ['A']],
  },
  name: {
    taken: ['a', 'guest1', '1a', 'a.b', 'a-b.example.org', '0-1', 'a'.repeat(63), `a${'-'.repeat(29)}b`, 'dom01', 'allx', 'a.localhost'],
    refused: [
      ...['', '1', '1.2', '192.0.2.1', 'A', 'a_b', '-a', 'a-', 'a..b', 'a.-b', 'a.', 'a'.repeat(64), 'snapshot-1', 'snapshots', 'pvmove0'],
      ...['del-a', 'dom0', 'domain-0', 'localhost', 'template', 'default', 'all', 'lost-found', 'a\n', 17, null],
    ],
  },
  plan: { taken: ['small', 'medium', 'large'], refused: ['', 'Small', '-small', 'a b', 'a'.repeat(33), 1, null] },
  dom0: {
    taken: ['xen1', 'xen1.example.org', 'a', 'a'.repeat(63)],
    refused: ['', 'Xen1', '-xen1', 'xen1-', 'a'.repeat(64), 'a/b', 1, null],
  },
  hostname: {
    taken: ['a', 'Shop.Example.ORG', 'shop.example.org.', '1a', '1.a', `${'a.'.repeat(126)}b`, `${'a.'.repeat(126)}b.`, 'a'.repeat(63)],
    refused: [
      ...['', '.', 'a..', 'a b', '-a', 'a-', 'a_b', 'a.1', '192.0.2.1', '1', '1.', 'a'.repeat(64), `${'a.'.repeat(126)}bc`],
      ...['\u212aelvin', 'é', 7, null],
    ],
  },
  customer: { taken: ['C-7', 7, 0, 'a'.repeat(64), 'a_b.c'], refused: ['', -7, 1.5, '-a', 'a'.repeat(65), 'a@b', true, null] },
  type: choice('pv', 'pvh'),
  ip: address,
  netmask: {
    taken: ['255.0.0.0', '255.255.252.0', '255.255.255.0', '255.255.255.254'],
    refused: ['', '254.0.0.0', '255.255.255.255', '0.0.0.0', '255.0.255.0', '24', '/24', 'ffffff00', 24, null],
  },
  gateway: address,
  bridge: { taken: ['xenbr0', 'a', 'BR.1_2-3', 'a'.repeat(15)], refused: ['', '-a', '.a', 'a'.repeat(16), 'a b', 'a/b', 'a,b', 1, null] },
  mac: {
    taken: ['00:16:3E:12:34:56', '00-16-3e-00-00-00', '02:00:00:00:00:00', 'fe:ff:ff:ff:ff:fe', '06-aa-bb-CC-dd-EE', '0a:00:00:00:00:01'],
    refused: [
      ...['', '00:16:3F:00:00:00', '01:00:00:00:00:00', '03:00:00:00:00:00', 'fe:ff:ff:ff:ff:ff', 'FE-FF-FF-FF-FF-FF', '00:00:00:00:00:00'],
      ...['02:00:00:00:00', '02:00:00:00:00:00:00', '02:00-00:00:00:00', '020000000000', '02:0g:00:00:00:00', 7, null],
    ],
  },
  memory: sizes(
    ['256MiB', '512GiB', '524288M', '0.5T', '0.25G', '257M', '512.0G'],
    ['255MiB', '513GiB', '524289MiB', '1T', '0MiB', '1KiB'],
  ),
  disk: sizes(
    ['1GiB', '16383GiB', '15T', '15.5T', '1028MiB', '16777212MiB'],
    ['1023MiB', '1026MiB', '16384GiB', '16T', '16777216MiB', '1KiB'],
  ),
  swap: sizes(['16MiB', '20M', '256GiB', '262144MiB', '0.25T', '0.5G'], ['12MiB', '18MiB', '257GiB', '262148MiB', '1T', '0M', '1KiB']),
  vcpus: { taken: [1, 2, 64], refused: [0, -1, 65, 1.5, '2', null, [], true, 1e20] },
  dist: choice('bookworm', 'trixie', 'jammy', 'noble'),
  mirror: {
    taken: [
      ...[
        'http://mirror.example.org/debian',
        'HTTPS://Mirror.Example.ORG/',
        'http://a',
        'http://192.0.2.1:8080/debian/',
        'http://a:/x',
        'http://a:00080',
      ],
      ...['http://a:65535/', 'http://a/b:c//d~e+f%20-_', 'http://a+b.example.org', `http://a/${'b'.repeat(241)}`],
    ],
    refused: [
      ...[
        '',
        'ftp://a/',
        'http://',
        'http:///a',
        'http://u@a/',
        'http://u:p@a/',
        'http://u%40a/',
        'http://a/?b',
        'http://a/#b',
        'http://[::1]/',
      ],
      ...['http://a:0/', 'http://a:000', 'http://a:65536/', 'http://a:x/', 'http://a:1:2/', 'http://a b', '//a/', 'file:///etc', 7, null],
      `http://a/${'b'.repeat(242)}`,
    ],
  },
  role: { taken: ['udev', 'a', '0_-', 'a'.repeat(32)], refused: ['', '-a', 'A', 'a/b', '../a', 'a'.repeat(33), 1, null] },
  extra: {
    taken: [
      ...['', '  ', 'quiet', ' quiet  panic=10 ', 'rooted', 'initcall_debug', 'rescued=1', Array.from({ length: 32 }, () => 'a').join(' ')],
      ...[[], ['quiet'], ['a'.repeat(100)], Array.from({ length: 32 }, () => 'a'), ['rootflags=data=ordered', 'ROOT=x', 'xroot=/dev/x']],
    ],
    refused: [
      ...['root=/dev/xvda', 'quiet root=/dev/xvda', 'single', 'quiet S', 'INIT=/bin/sh', 'a"b', 'a\tb', 'a\nb', '-a', 'a'.repeat(101)],
      ...[
        Array.from({ length: 33 }, () => 'a').join(' '),
        Array.from({ length: 33 }, () => 'a'),
        ['a b'],
        [''],
        ['Single'],
        ['mem=1'],
        [1],
      ],
      ...[1, null, {}],
    ],
  },
  sshKeys: {
    taken: [
      [],
      [ED25519],
      [`\t ${ED25519.replace(' ', ' \t')} someone@example.org 😀\r`],
      Array.from({ length: 20 }, () => ED25519),
      [`${ED25519} `],
      // The whole text of a file.
      [`${ED25519}\n`],
      [`${ED25519} me\r\n`],
    ],
    refused: [
      ...[ED25519, [''], ['ssh-ed25519'], ['ssh-dss AAAA'], [`command="a" ${ED25519}`], [`${ED25519}\n${ED25519}`]],
      ...[[`${ED25519} a\rb`], [`${ED25519} a\0`], ['-----BEGIN OPENSSH PRIVATE KEY-----'], ['ssh-ed25519 AAAAA']],
      ...[Array.from({ length: 21 }, () => ED25519), [`${ED25519} ${'a'.repeat(4_096)}`], [1], {}, null, ''],
    ],
  },
  passwordHash: {
    taken: [SHA512, `$6$rounds=5000$s$${'a'.repeat(86)}`, `$5$s$${'b'.repeat(43)}`, `$y$j9T$salt$${'c'.repeat(43)}`],
    refused: [
      '',
      'secret',
      '*',
      '!',
      '$1$salt$aaaaaaaaaaaaaaaaaaaaaa',
      `${SHA512}a`,
      SHA512.slice(0, -1),
      `${SHA512}\n`,
      SHA512.replace('a', ':'),
      7,
      null,
    ],
  },
  timezone: {
    taken: [
      'Etc/UTC',
      'Europe/Berlin',
      'America/Argentina/Buenos_Aires',
      'Etc/GMT+12',
      'UTC',
      'EST5EDT',
      'GB-Eire',
      'America/Port-au-Prince',
    ],
    refused: ['', 'europe/berlin', '/etc/passwd', '../UTC', 'Europe/', 'Etc//UTC', 'A/B/C/D', 'Europe/Berlin\n', 1, null],
  },
  retention: {
    taken: [{ daily: 1 }, { daily: 366 }, { daily: 7, weekly: 1 }, { last: 1, hourly: 24, daily: 7, weekly: 4, monthly: 12, yearly: 366 }],
    refused: [{ daily: 0 }, { daily: 367 }, { daily: 1.5 }, { daily: '7' }, {}, { daily: 7, weekly: 0 }, { nightly: 7 }, 7, [], null, '7'],
  },
  managed: yesOrNo,
  serialDevice: choice('hvc0'),
  fs: choice('ext4', 'ext3'),
  fsOptions: {
    taken: [
      'noatime',
      'noatime,errors=remount-ro',
      'commit=0',
      'commit=86400',
      'stripe=65536',
      'barrier',
      'barrier=1',
      'init_itable',
      'init_itable=1000',
    ],
    refused: [
      '',
      ',',
      'noatime,',
      ',noatime',
      'ro',
      'noexec',
      'commit',
      'commit=86401',
      'commit=010',
      'data=journal',
      'barrier=2',
      'a=b',
      'NOATIME',
      1,
      null,
      Array.from({ length: 26 }, () => 'noatime').join(','),
    ],
  },
  image: choice('sparse', 'full'),
  installMethod: choice('golden', 'debootstrap'),
  recipe: choice('how-to', 'direct'),
  debootstrap: yesOrNo,
  backupAt: {
    taken: ['00:00', '02:30', '19:59', '23:59'],
    refused: ['', '24:00', '02:60', '2:30', '02:30:00', '0230', '\u0660\u0662:30', 230, null],
  },
  graceDays: { taken: [0, 1, 365], refused: [-1, 366, 0.5, '7', null, []] },
  proveDays: { taken: [0, 1, 365], refused: [-1, 366, 0.5, '7', null, []] },
};

export interface Relation {
  /** Taken by the schema, refused by the check. */
  readonly examples: readonly unknown[];
  /** Whether a value that the schema takes is refused by this relation and by nothing else. */
  readonly isOne: (value: unknown, reason: string) => boolean;
}

/** What a fraction, or KiB, come to is a matter of arithmetic. */
const wholeSteps = (...examples: string[]): Relation => ({
  examples,
  isOne: (value, reason) => /\.[0-9]*[1-9]|k/i.test(String(value)) && /whole MiB|no multiple|less than|more than/.test(reason),
});

/** What JSON Schema cannot say of a single field. */
export const RELATIONS: Readonly<Record<string, Relation>> = {
  memory: wholeSteps('262145K', '0.1G', '1.3G', '100000K', '0.9T'),
  disk: wholeSteps('1048577K', '1.1G', '1049600K', '0.0001T'),
  swap: wholeSteps('16385K', '0.01G', '17408K', '0.9T'),
  // Device-mapper doubles hyphens, and has room for 100 characters.
  name: {
    examples: [`a${'-'.repeat(61)}b`],
    isOne: (value, reason) => String(value).replaceAll('-', '--').length > 94 && /device-mapper/.test(reason),
  },
  // Plans are the operator's.
  plan: { examples: ['smal', 'nothing'], isOne: (_value, reason) => /is no plan/.test(reason) },
  // Which host it is, in any spelling, and whether it is one.
  mirror: {
    examples: ['http://localhost/', 'http://0x7f.1/', 'http://2130706433/', 'http://169.254.169.254/', 'http://a.1.2/', 'http://a%zz/'],
    isOne: (value, reason) =>
      /cannot be the mirror/.test(reason) ||
      !URL.canParse(String(value)) ||
      whyNotMirrorAddress(new URL(String(value)).hostname) !== undefined,
  },
  // What the key holds.
  sshKeys: {
    examples: [['ssh-ed25519 AAAA'], ['ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAAQE=']],
    isOne: (_value, reason) => /is damaged|is too weak|RSA keys of at most/.test(reason),
  },
  // Names of zones change with their package.
  timezone: { examples: ['Mars/Olympus', 'EUROPE/BERLIN'], isOne: (_value, reason) => /is no time zone/.test(reason) },
};
