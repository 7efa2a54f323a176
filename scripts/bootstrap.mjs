/**
 * What `npm start` and `npm test` run: on a fresh checkout it installs the npm packages first, then hands over, in this very process, to
 * the command line or the test runner: signals and exit codes are theirs, and there is no process in between to leave behind.
 *
 *   node scripts/bootstrap.mjs COMMAND ARGS…     the command line
 *   node scripts/bootstrap.mjs --test ARGS…      the tests
 *
 * Plain JavaScript with child processes of its own, the one place that may have them outside system/: nothing is installed yet.
 * It never writes to standard output, which belongs to the document of `--json`.
 */
import { spawn } from 'node:child_process';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { createHash } from 'node:crypto';

const ROOT = join(dirname(fileURLToPath(import.meta.url)), '..');
const MODULES = join(ROOT, 'node_modules');
const LOCKFILE = join(ROOT, 'package-lock.json');
const STAMP = join(MODULES, '.guestflow-lock');
const OLDEST_NODE = [20, 19];

/** Debian packages that the host tests drive. */
const TEST_PACKAGES = [
  ...[
    'xen-tools',
    'e2fsprogs',
    'dump',
    'xfsprogs',
    'zstd',
    'borgbackup',
    'openssl',
    'qemu-utils',
    'util-linux',
    'openssh-client',
    'openssh-server',
    'mmdebstrap',
    'netplan.io',
  ],
  // libxlutil, which the editor of cfg files is held against, and what compiles a program that calls it.
  ...['libxen-dev', 'gcc', 'libc6-dev'],
  // Name spaces with bridges, who answers there, and what gets through.
  ...['iproute2', 'iputils-arping', 'nftables', 'procps'],
  // Schemathesis and cfn-lint are Python packages.
  'python3-venv',
  // The customer's page.
  'chromium',
  // The module for WHMCS, and its template.
  ...['php-cli', 'php-curl', 'smarty4'],
];

/** Of `npm test`: all but the lab, which needs QEMU and half an hour. */
const DEFAULT_PROJECTS = ['unit', 'workflow', 'tools', 'host', 'faults', 'storm', 'scale'];

function say(message) {
  process.stderr.write(`${message}\n`);
}

/** Ends this process with one clear message. */
function fail(message, code) {
  say(`guestflow: ${message}`);
  process.exit(code);
}

/**
 * Runs a program, its output on our standard error. SIGINT and SIGTERM end it, and then us.
 *
 * @param ending the signal that ends it. npm takes half a minute to heed others; what it leaves half-done is noticed and done anew.
 */
function run(command, args, { env = {}, ending = 'SIGTERM' } = {}) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd: ROOT, stdio: ['ignore', 2, 2], env: { ...process.env, ...env } });
    let stopped;
    const stop = (signal) => {
      stopped = signal;
      child.kill(ending);
    };
    process.on('SIGINT', stop);
    process.on('SIGTERM', stop);
    child.once('error', (error) =>
      resolve({ code: undefined, reason: error.code === 'ENOENT' ? `${command} is not installed` : error.message }),
    );
    child.once('close', (code, signal) => {
      process.off('SIGINT', stop);
      process.off('SIGTERM', stop);
      if (stopped !== undefined) process.exit(128 + constants.signals[stopped]);
      resolve({ code, reason: signal === null ? `exit code ${code}` : `ended by ${signal}` });
    });
  });
}

function lockHash() {
  return createHash('sha256').update(readFileSync(LOCKFILE)).update(`${process.platform}-${process.arch}`).digest('hex');
}

function readJson(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return undefined;
  }
}

/** Whether an `npm ci` by hand has installed just what the lockfile says: npm keeps its own record of that. */
function installedByHand() {
  const installed = readJson(join(MODULES, '.package-lock.json'))?.packages;
  const wanted = readJson(LOCKFILE)?.packages;
  if (installed === undefined || wanted === undefined) return false;
  return Object.entries(wanted).every(
    ([path, entry]) => path === '' || entry.optional === true || installed[path]?.version === entry.version,
  );
}

/** Why the packages must be installed, or undefined when they are there. */
function whyInstall() {
  if (!existsSync(MODULES)) return 'they are not installed yet';
  if (existsSync(STAMP) && readFileSync(STAMP, 'utf8') === lockHash()) return undefined;
  if (installedByHand()) {
    writeFileSync(STAMP, lockHash());
    return undefined;
  }
  return 'package-lock.json has changed, or an earlier installation did not finish';
}

async function installPackages() {
  const why = whyInstall();
  if (why !== undefined) {
    say(`Installing the npm packages of package-lock.json (${why}) …`);
    const started = Date.now();
    const npm = process.env.npm_execpath;
    const [command, before] = npm?.endsWith('.js') ? [process.execPath, [npm]] : ['npm', []];
    const { code, reason } = await run(command, [...before, 'ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'], {
      ending: 'SIGKILL',
    });
    if (code !== 0) fail(`npm ci failed (${reason}); see above. Once its cause is mended, run the same command again.`, 3);
    writeFileSync(STAMP, lockHash());
    say(`Installed in ${((Date.now() - started) / 1000).toFixed(0)} s.`);
  }
  // The Node runtime of the dom0 package is an npm package, too, and npm links it as "node": scripts would run on it instead of this machine's.
  rmSync(join(MODULES, '.bin', 'node'), { force: true });
}

/** Names of the packages that are not installed. */
async function missingPackages(names) {
  const states = await Promise.all(
    names.map(async (name) => ({ name, ...(await runQuietly('dpkg-query', ['--show', '--showformat=${db:Status-Status}', name])) })),
  );
  return states.filter(({ output }) => output !== 'installed').map(({ name }) => name);
}

function runQuietly(command, args) {
  return new Promise((resolve) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'ignore'] });
    let output = '';
    child.stdout.on('data', (chunk) => (output += chunk));
    child.once('error', () => resolve({ output: '' }));
    child.once('close', () => resolve({ output }));
  });
}

/** The tools of the host tests. Tests whose tools are missing are skipped, and say so: nothing here is fatal. */
async function installTestTools() {
  const missing = await missingPackages(TEST_PACKAGES);
  if (missing.length === 0) return;
  const command = ['install', '--yes', '--no-install-recommends', '-qq', ...missing];
  if (process.getuid?.() !== 0)
    return say(`Host tests that need ${missing.join(', ')} will be skipped. As root: apt-get ${command.join(' ')}`);
  say(`Installing Debian packages that the host tests drive: ${missing.join(', ')} …`);
  const quiet = { env: { DEBIAN_FRONTEND: 'noninteractive' } };
  await run('apt-get', ['update', '-qq'], quiet);
  const { code, reason } = await run('apt-get', command, quiet);
  if (code !== 0) say(`apt-get failed (${reason}): host tests that need these packages will be skipped.`);
}

async function handOverToTests(args) {
  await installTestTools();
  const { tsImport } = await import('tsx/esm/api');
  const { prepareTests } = await tsImport(pathToFileURL(join(ROOT, 'scripts', 'prepare-tests.ts')).href, import.meta.url);
  await prepareTests(say);
  const projects = args.some((arg) => arg.startsWith('--project')) ? [] : DEFAULT_PROJECTS.flatMap((name) => ['--project', name]);
  const vitest = join(MODULES, 'vitest', 'vitest.mjs');
  process.argv = [process.execPath, vitest, 'run', ...projects, ...args];
  await import(pathToFileURL(vitest).href);
}

async function handOverToCommandLine(args) {
  const bin = join(ROOT, 'bin', 'guestflow.mjs');
  process.argv = [process.execPath, bin, ...args];
  await import(pathToFileURL(bin).href);
}

const [major, minor] = process.versions.node.split('.').map(Number);
if (major < OLDEST_NODE[0] || (major === OLDEST_NODE[0] && minor < OLDEST_NODE[1])) {
  fail(`it needs Node ${OLDEST_NODE.join('.')} or later, and this is ${process.versions.node}.`, 3);
}
await installPackages();
const args = process.argv.slice(2);
if (args[0] === '--test') await handOverToTests(args.slice(1));
else await handOverToCommandLine(args);
