import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { normalSshKey, sshKeyLines, whyNotSshKey } from '../../../contract/ssh-key.ts';

function blob(...parts: Buffer[]): string {
  return Buffer.concat(parts.flatMap((part) => [Buffer.from(Uint32Array.of(part.length).buffer).reverse(), part])).toString('base64');
}

function field(key: KeyObject, name: string): Buffer {
  return Buffer.from(String(key.export({ format: 'jwk' })[name]), 'base64url');
}

function rsaLine(bits: number): string {
  const { publicKey } = generateKeyPairSync('rsa', { modulusLength: bits });
  return `ssh-rsa ${blob(Buffer.from('ssh-rsa'), field(publicKey, 'e'), Buffer.concat([Buffer.alloc(1), field(publicKey, 'n')]))} a comment`;
}

const ED25519 = `ssh-ed25519 ${blob(Buffer.from('ssh-ed25519'), field(generateKeyPairSync('ed25519').publicKey, 'x'))}`;

function ecPoint(namedCurve: string): Buffer {
  const { publicKey } = generateKeyPairSync('ec', { namedCurve });
  return Buffer.concat([Buffer.of(4), field(publicKey, 'x'), field(publicKey, 'y')]);
}

/** A key of these parts behind its type. */
function lineOf(type: string, ...parts: (Buffer | string)[]): string {
  return `${type} ${blob(Buffer.from(type), ...parts.map((part) => Buffer.from(part)))}`;
}

const CURVES = [
  ['nistp256', 'P-256'],
  ['nistp384', 'P-384'],
  ['nistp521', 'P-521'],
] as const;
const ECDSA = lineOf('ecdsa-sha2-nistp256', 'nistp256', ecPoint('P-256'));
const OF_RSA = (modulus: Buffer): string => lineOf('ssh-rsa', Buffer.of(3), modulus);

describe('an SSH key', () => {
  it.each([ED25519, `${ED25519} somebody@example.org`, ECDSA, rsaLine(2048)])('is taken', (line) => {
    expect(whyNotSshKey(line)).toBeUndefined();
  });

  it.each([
    ['a comment with an accent', `${ED25519} rené@büro`],
    ['a comment of several words', `${ED25519} the key of my laptop "old" #1, PRIVATE KEY excluded`],
    ['a comment in another script, with a control character', `${ED25519} ключ\u0007\u200b 🔑`],
    ['two blanks before the key and before the comment', `${ED25519.replace(' ', '  ')}  two blanks`],
    ['tabs', `${ED25519.replace(' ', '\t')}\ta-tab`],
    ['blanks and tabs in front', ` \t ${ED25519} x`],
    ['blanks behind', `${ED25519} \t`],
    ['the end of a line of Windows', `${ED25519}\r`],
    ['the end of a line of Windows, behind a comment', `${ED25519} me\r`],
    ['the newline of its file', `${ED25519} me\n`],
    ['the newline of its file, of Windows', `${ED25519}\r\n`],
    ['a very long comment', `${ED25519} ${'x'.repeat(2_000)}`],
  ])('is taken as sshd takes it, with %s, and kept without its comment', (_what, line) => {
    expect(whyNotSshKey(line)).toBeUndefined();
    expect(normalSshKey(line)).toBe(ED25519);
  });

  it.each([
    ['', /type/],
    [`command="id" ${ED25519}`, /type.*no options/],
    [`${ED25519}\n${ED25519}`, /one line/],
    [`${ED25519} a\rb`, /one line/],
    [`${ED25519.slice(0, 30)}\u00a0${ED25519.slice(30)}`, /base64/],
    [`\u00a0${ED25519}`, /type/],
    [`from="10.0.0.1"\t${ED25519}`, /no options/],
    ['-----BEGIN OPENSSH PRIVATE KEY-----', /private/],
    ['-----BEGIN PRIVATE KEY-----', /private/],
    ['-----BEGIN PUBLIC KEY-----', /PEM.*ssh-keygen -i -m PKCS8/],
    ['---- BEGIN SSH2 PUBLIC KEY ----', /RFC 4716.*ssh-keygen -i/],
    ['PuTTY-User-Key-File-3: ssh-ed25519', /private key of PuTTY/],
    ['ssh-ed25519-cert-v01@openssh.com AAAAIHNz', /certificate/],
    [ED25519.replace('ssh-ed25519', 'ssh-rsa'), /not of type ssh-rsa/],
    [ED25519.slice(0, -4), /damaged|base64/],
    ['ssh-ed25519 !!!', /base64/],
    ['ssh-ed25519', /base64/],
    [`ssh-ed25519 ${blob(Buffer.from('ssh-ed25519'), Buffer.alloc(31))}`, /not whole/],
    [`ssh-ed25519 ${blob(Buffer.from('ssh-ed25519'))}`, /not whole/],
    ['ssh-dss AAAA', /DSA/],
    [`${ED25519} ${'x'.repeat(4_096)}`, /longer/],
    [rsaLine(1024), /2048 bits/],
  ])('%j is refused', (line, reason) => {
    expect(whyNotSshKey(line)).toMatch(reason);
  });

  it.each(CURVES)('of the curve %s is taken', (name, curve) => {
    expect(whyNotSshKey(lineOf(`ecdsa-sha2-${name}`, name, ecPoint(curve)))).toBeUndefined();
  });

  it('of a security key is taken', () => {
    expect(whyNotSshKey(lineOf('sk-ssh-ed25519@openssh.com', Buffer.alloc(32, 7), 'ssh:'))).toBeUndefined();
    expect(whyNotSshKey(lineOf('sk-ecdsa-sha2-nistp256@openssh.com', 'nistp256', ecPoint('P-256'), 'ssh:'))).toBeUndefined();
  });

  it.each([
    ['half of a point', lineOf('ecdsa-sha2-nistp256', 'nistp256', ecPoint('P-256').subarray(0, 33)), /curve nistp256/],
    ['no point', lineOf('ecdsa-sha2-nistp256', 'nistp256', ''), /curve nistp256/],
    ['a point beside the curve', lineOf('ecdsa-sha2-nistp256', 'nistp256', Buffer.alloc(65, 4)), /curve nistp256/],
    ['another curve than its type', lineOf('ecdsa-sha2-nistp256', 'nistp384', ecPoint('P-384')), /curve nistp256/],
    [
      'a point beside the curve, of a security key',
      lineOf('sk-ecdsa-sha2-nistp256@openssh.com', 'nistp256', Buffer.alloc(65, 4), 'ssh:'),
      /curve/,
    ],
    ['31 bytes, of a security key', lineOf('sk-ssh-ed25519@openssh.com', Buffer.alloc(31), 'ssh:'), /not whole/],
    ['a negative modulus', OF_RSA(Buffer.alloc(256, 0xc7)), /negative/],
    ['a modulus that is too long', OF_RSA(Buffer.concat([Buffer.alloc(1), Buffer.alloc(2_049, 0xc7)])), /at most 16384/],
  ])('with %s inside is refused, as sshd passes over it', (_what, line, reason) => {
    expect(whyNotSshKey(line)).toMatch(reason);
  });

  it('with the longest modulus that sshd reads is taken', () => {
    expect(whyNotSshKey(OF_RSA(Buffer.concat([Buffer.alloc(1), Buffer.alloc(2_048, 0xc7)])))).toBeUndefined();
  });

  it('is found in a file among comments and empty lines', () => {
    expect(sshKeyLines(`# mine\r\n\n  ${ED25519}  \r\n#${ECDSA}\n${ECDSA}`)).toEqual([ED25519, ECDSA]);
  });
});
