import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { acquireOptions, machineSources, parseDeb822, parseOneLine } from '../../../lab/apt.ts';

describe('one-line sources', () => {
  test('those that serve the release and its security updates are found, with or without options', () => {
    const text = [
      '# deb http://commented.example/debian bookworm main',
      'deb http://mirror.example/debian bookworm main contrib # ours',
      'deb [arch=amd64 signed-by=/usr/share/keyrings/x.gpg] https://security.example/debian-security bookworm-security contrib main',
    ].join('\n');
    expect(parseOneLine(text)).toEqual([
      { uri: 'http://mirror.example/debian', suite: 'bookworm' },
      { uri: 'https://security.example/debian-security', suite: 'bookworm-security' },
    ]);
  });

  test('sources of other projects, of other components, and of source packages are left alone', () => {
    const text =
      'deb http://a.example noble main\ndeb http://b.example bookworm contrib\ndeb-src http://c.example bookworm main\ndeb http://d.example bookworm-updates main';
    expect(parseOneLine(text)).toEqual([]);
  });
});

describe('deb822 sources', () => {
  test('every suite of every paragraph that serves the release is found; comments inside do not matter', () => {
    const text =
      'Types: deb deb-src\n# a note\nURIs: http://mirror.example/debian\nSuites: bookworm bookworm-updates\nComponents: main\n\nTypes: deb\nURIs:\n http://security.example/\nSuites: bookworm-security\nComponents: main\n';
    expect(parseDeb822(text)).toEqual([
      { uri: 'http://mirror.example/debian', suite: 'bookworm' },
      { uri: 'http://security.example/', suite: 'bookworm-security' },
    ]);
  });

  test.each(['Enabled: no', 'Enabled: false'])('a paragraph with "%s" is not used', (line) => {
    expect(parseDeb822(`Types: deb\n${line}\nURIs: http://mirror.example\nSuites: bookworm\nComponents: main\n`)).toEqual([]);
  });
});

describe("the machine's sources", () => {
  let folder = '';
  beforeEach(async () => {
    folder = await mkdtemp(path.join(os.tmpdir(), 'apt-test-'));
    await mkdir(path.join(folder, 'sources.list.d'));
  });
  afterEach(() => rm(folder, { recursive: true }));

  test('both formats are read, and the first source of a suite counts', async () => {
    await writeFile(path.join(folder, 'sources.list'), 'deb http://first.example bookworm main\n');
    await writeFile(
      path.join(folder, 'sources.list.d/debian.sources'),
      'Types: deb\nURIs: http://second.example\nSuites: bookworm bookworm-security\nComponents: main\n',
    );
    await writeFile(path.join(folder, 'sources.list.d/old.list.save'), 'deb http://third.example bookworm main\n');
    expect(await machineSources('bookworm', folder)).toEqual([
      { uri: 'http://first.example', suite: 'bookworm' },
      { uri: 'http://second.example', suite: 'bookworm-security' },
    ]);
  });

  test("a release that the machine does not use itself comes from its own mirrors, each suite's from the one of its kind", async () => {
    await writeFile(
      path.join(folder, 'sources.list'),
      'deb http://vendor.example bookworm-vendor main\ndeb http://mirror.example bookworm main\n',
    );
    await writeFile(path.join(folder, 'sources.list.d/security.list'), 'deb http://security.example bookworm-security main\n');
    expect(await machineSources('trixie', folder)).toEqual([
      { uri: 'http://mirror.example', suite: 'trixie' },
      { uri: 'http://security.example', suite: 'trixie-security' },
    ]);
  });

  test("the machine's own source of a release goes before what is made of another's", async () => {
    await writeFile(path.join(folder, 'sources.list'), 'deb http://old.example bookworm main\ndeb http://new.example trixie main\n');
    expect(await machineSources('trixie', folder)).toEqual([{ uri: 'http://new.example', suite: 'trixie' }]);
    expect(await machineSources('bookworm', folder)).toEqual([{ uri: 'http://old.example', suite: 'bookworm' }]);
  });

  test('a machine without any source of Debian gets told which release is missing', async () => {
    await writeFile(path.join(folder, 'sources.list'), 'deb http://mirror.example noble main\ndeb http://other.example bookworm contrib\n');
    await expect(machineSources('trixie', folder)).rejects.toThrow(
      /no apt source of this machine serves Debian main \(trixie\): add one to/,
    );
  });
});

test("the machine's proxy reaches the apt that builds the lab, its own folders do not", () => {
  const dump =
    'Acquire::http::Proxy "http://proxy.example:3128";\nAcquire::https::CaInfo "/etc/ca.pem";\nDir::Cache "var/cache/apt";\nAcquire::http "";\nAcquire::http::Proxy-Auto-Detect "/usr/bin/x";\n';
  expect(acquireOptions(dump)).toEqual(['Acquire::http::Proxy "http://proxy.example:3128";', 'Acquire::https::CaInfo "/etc/ca.pem";']);
});
