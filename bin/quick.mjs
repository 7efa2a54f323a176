/** Runs `quick.cjs` with what V8 compiled of it in an earlier run of the same command: compiling it costs more than all else that a short command does. */
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { constants, Script } from 'node:vm';

/**
 * Runs one command.
 *
 * @param {string} file `quick.cjs`.
 * @param {readonly string[]} argv what follows the program's name.
 * @returns {Promise<number>} the exit code.
 */
export async function runQuick(file, argv) {
  const compiled = compiledFile(file, argv);
  // It is ASCII: esbuild writes nothing else.
  const source = `(function (exports, require, module, __filename, __dirname) {${readFileSync(file, 'latin1')}\n})`;
  const cachedData = compiled === undefined ? undefined : read(compiled);
  const script = new Script(source, { filename: file, cachedData, importModuleDynamically: constants.USE_MAIN_CONTEXT_DEFAULT_LOADER });
  const module = { exports: {} };
  script.runInThisContext()(module.exports, createRequire(file), module, file, dirname(file));
  const exitCode = await module.exports.main(argv);
  // After the work, so that it holds what the work needed; a command that failed did not come that far.
  if (compiled !== undefined && exitCode === 0 && (cachedData === undefined || script.cachedDataRejected))
    write(compiled, script.createCachedData());
  return exitCode;
}

/** One for each command: each needs other parts. */
function compiledFile(file, argv) {
  const isHelp = argv.length === 0 || argv.some((word) => ['--help', '-h', '--version'].includes(word));
  const command = isHelp ? 'help' : argv[0];
  return /^[a-z][a-z0-9-]{0,30}$/.test(command) ? join(dirname(file), `${command}.v8-${process.arch}`) : undefined;
}

function read(path) {
  try {
    return readFileSync(path);
  } catch {
    return undefined;
  }
}

/** Whole or not at all, and never an error of the command: the next run does without. */
function write(path, data) {
  const part = `${path}.${randomBytes(4).toString('hex')}.part`;
  try {
    writeFileSync(part, data, { mode: 0o600 });
    renameSync(part, path);
  } catch {
    rmSync(part, { force: true });
  }
}
