import { describe, expect, it } from 'vitest';
import { normalMirror, whyNotMirror, whyNotMirrorAddress, whyNotMirrorForm } from '../../../contract/mirror.ts';
import { withoutPasswords } from '../../../contract/redact.ts';

describe('a mirror', () => {
  it.each([
    ['http://mirror.example/debian', 'http://mirror.example/debian'],
    ['HTTP://Mirror.Example.ORG/debian/', 'http://mirror.example.org/debian'],
    ['HttpS://mirror.example.org:8443/ubuntu', 'https://mirror.example.org:8443/ubuntu'],
    ['http://mirror/debian', 'http://mirror/debian'],
    ['http://10.0.2.2:3142/mirror.example/debian', 'http://10.0.2.2:3142/mirror.example/debian'],
    ['http://xn--mnchen-3ya.example/debian', 'http://xn--mnchen-3ya.example/debian'],
    ['http://1.1.1.1', 'http://1.1.1.1'],
  ])('%s is taken, and kept as %s', (text, kept) => {
    expect(whyNotMirror(text)).toBeUndefined();
    expect(normalMirror(text)).toBe(kept);
    expect([whyNotMirror(kept), normalMirror(kept)]).toEqual([undefined, kept]);
  });

  it.each([
    ...[
      '',
      'http:',
      'http://',
      'http:///debian',
      'http:/mirror/debian',
      'https://:80/x',
      '//mirror/debian',
      'mirror/debian',
      'ftp://mirror/debian',
      'file:///srv/debian',
    ],
    ...[
      'http://mirror/de bian',
      "http://mirror/'",
      'http://mirror/$(id)',
      'http://mirror\\@x/',
      'http://mirror/\ndeb',
      'http://-mirror/',
      'http://mirror:0/',
      'http://mirror:99999/',
      'http://%zz/',
      'http://%31%32%37.0.0.1/',
      'http://1.2.3.400/',
    ],
    ...[
      'http://mirror/debian?x=1',
      'http://mirror/debian#x',
      'http://[2001:db8::1]/debian',
      'http://user@mirror/',
      'http://user:secret@mirror/',
      'http://user:secret%40mirror/',
    ],
    `http://mirror/${'x'.repeat(250)}`,
  ])('%j is refused for its form, by orders and settings alike', (text) => {
    expect(whyNotMirrorForm(text)).toMatch(/^(is|must|has) /);
    expect(whyNotMirror(text)).toBe(whyNotMirrorForm(text));
  });

  it.each([
    ...[
      'http://127.0.0.1/debian',
      'http://127.1/debian',
      'http://127.0.1.1:3142/',
      'http://2130706433/',
      'http://0x7f000001/',
      'http://0x7f.1/',
      'http://0177.0.0.1/',
      'http://017700000001/',
    ],
    ...['http://0/', 'http://0.0.0.0/', 'http://0.1.2.3/', 'http://127.0.0.1./debian', 'http://12%37.0.0.1/', 'HTTP://127.0.0.1/'],
    ...[
      'http://localhost/',
      'http://LocalHost/',
      'http://localhost./',
      'http://localhost../',
      'http://mirror.localhost/',
      'http://localhost.localdomain/',
      'http://ip6-localhost/',
      'http://loc%61lhost/',
    ],
    ...[
      'http://169.254.169.254/latest',
      'http://169.254.0.1/',
      'http://0xa9fea9fe/',
      'http://2852039166/',
      'http://0251.0376.0251.0376/',
      'http://metadata.google.internal/',
      'http://100.100.100.200/',
      'http://168.63.129.16/',
    ],
    ...['http://224.0.0.1/', 'http://255.255.255.255/', 'http://240.0.0.1/'],
  ])('%s is refused to orders and plans, and left to settings of the dom0', (text) => {
    expect(whyNotMirror(text)).toMatch(/dom0's own settings$/);
    expect(whyNotMirrorForm(text)).toBeUndefined();
  });

  it.each([
    '::1',
    '::',
    'fe80::1',
    '::ffff:127.0.0.1',
    '::ffff:169.254.169.254',
    '::127.0.0.1',
    '64:ff9b::7f00:1',
    '2002:7f00:1::',
    'fd00:ec2::254',
    'ff02::1',
  ])('whose name leads to %s leads to the dom0 itself, or to what only the dom0 reaches', (address) => {
    expect(whyNotMirrorAddress(address)).toBeTypeOf('string');
  });

  it.each(['192.0.2.80', '10.0.0.5', '2001:4860::1', 'fd00::5', '2002:c000:201::'])(
    'whose name leads to %s is another machine',
    (address) => {
      expect(whyNotMirrorAddress(address)).toBeUndefined();
    },
  );
});

describe('a password in an address', () => {
  it.each([
    'http://user:secret@mirror/debian',
    'http://user:se/cret@mirror/debian',
    'HTTPS://user:se@cret@mirror/debian',
    'http://user:secret%40mirror/debian',
    'http:/user:secret@mirror/debian',
    'user:secret@mirror/debian',
    '//user:secret@mirror',
    'ftp://user:secret@mirror',
    'http://mirror:secret/debian',
    'http://mirror/debian?password=secret',
    'http://mirror/debian#secret',
    'deb [trusted=yes] http://user:secret@mirror/debian bookworm main',
    "{ uri: 'http://user:secret@mirror/' }",
    'E: Failed to fetch http://user:secret@mirror/debian/dists/x  401',
    'http://:secret@mirror/',
    'http://secret@mirror/',
  ])('is not repeated: %s', (text) => {
    expect(withoutPasswords(text)).not.toMatch(/secret|cret@/);
  });

  it.each([
    'http://mirror:8080/debian',
    'plain words: and a colon',
    'noatime,errors=remount-ro',
    'Is it there? Yes.',
    '00:16:3E:00:00:01',
    '2001:db8::1',
    '12:30',
    'root@guest',
  ])('is not seen where none is: %s', (text) => {
    expect(withoutPasswords(text)).toBe(text);
  });

  it('is not repeated where a text that is too long is cut in the middle of an address, nor does such a text take long', () => {
    const long = 'A'.repeat(1_000_000);
    expect(withoutPasswords(long)).toBe(`${'A'.repeat(4_096)}…`);
    expect(withoutPasswords(`${'x '.repeat(2_040)}http://user:secret${long}@mirror/`)).not.toMatch(/secret/);
    expect(withoutPasswords(`http://user:secret${long}`)).not.toMatch(/secret/);
  });
});
