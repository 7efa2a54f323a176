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
const ECDSA = `ecdsa-sha2-nistp256 ${blob(Buffer.from('ecdsa-sha2-nistp256'), Buffer.from('nistp256'), Buffer.alloc(65, 4))}`;

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

  it('is found in a file among comments and empty lines', () => {
    expect(sshKeyLines(`# mine\r\n\n  ${ED25519}  \r\n#${ECDSA}\n${ECDSA}`)).toEqual([ED25519, ECDSA]);
  });
});
