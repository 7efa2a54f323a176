/** What xenstore may say of a vif that no rules can be made of; undefined: it says nothing. */

/** In place of its addresses. */
export const ADDRESSES: readonly (string | undefined)[] = [
  undefined,
  '',
  ' ',
  '192.0.2.10; flush ruleset',
  '192.0.2.10 }\nflush ruleset\n',
  '192.0.2.10\n192.0.2.11',
  '"192.0.2.10"',
  '192.0.2.0/24',
  '192.0.2.1-192.0.2.9',
  '192.0.2.256',
  '192.0.2.010',
  '192.0.2',
  '0.0.0.0',
  '224.0.0.1',
  '127.0.0.1',
  '$(reboot)',
  '*',
  '@senders',
  '2001:db8::a',
  '192.0.2.10 ::',
  '192.0.2.10 ff02::1',
  '192.0.2.10 ::ffff:192.0.2.1',
  '192.0.2.10 2001:db8:::a',
  '192.0.2.10 2001:db8::a::b',
  '192.0.2.10 2001:db8:1:2:3:4:5',
  '192.0.2.10 2001:db8:1:2:3:4:5:6:7',
  '192.0.2.10 2001:db8::12345',
  '192.0.2.10 abc:def',
];

/** In place of its MAC. */
export const MACS: readonly (string | undefined)[] = [
  undefined,
  '',
  '00:16:3e:00:00',
  '00:16:3e:00:00:0a:0b',
  '0:16:3e:00:00:00a',
  '00:16:3e:00:00:0g',
  '01:16:3e:00:00:0a',
  'ff:ff:ff:ff:ff:ff',
  '00:16:3e:00:00:0a drop; flush ruleset',
  '00:16:3e:00:00:0a\nflush ruleset',
  '{ 00:16:3e:00:00:0a }',
];

/** In place of the name of its interface. */
export const NAMES: readonly string[] = ['web" accept; flush ruleset', 'web\nflush', '-web', 'vif*', 'a-name-of-16-char', '{web}'];

/** In place of libxl's path of vif5.0 in xenstore. */
export const PATHS: readonly string[] = [
  '',
  'backend/vif/5',
  'backend/vif/5/x',
  'backend/vif/5;reboot/0',
  '/local/domain/0/backend/vbd/5/0',
  'backend/vif/6/0',
];
