/**
 * What Lambda's Node runtime does for one invocation: loads the handler that `_HANDLER` names, calls it with the event and a context, and ends.
 *
 *   node runtime.mjs REQUEST-ID FUNCTION-ARN DEADLINE
 *
 * DEADLINE: milliseconds since 1970. Plain JavaScript: it runs without this project's packages.
 */
import { createRequire } from 'node:module';
import { join } from 'node:path';

const [, , awsRequestId, invokedFunctionArn, deadline] = process.argv;
const { LAMBDA_TASK_ROOT: root, _HANDLER: entry, AWS_LAMBDA_FUNCTION_NAME: functionName } = process.env;
const dot = entry.lastIndexOf('.');
const say = (what, more = {}) =>
  process.stdout.write(`${JSON.stringify({ time: new Date().toISOString(), awsRequestId, what, ...more })}\n`);

const context = {
  awsRequestId,
  invokedFunctionArn,
  functionName,
  getRemainingTimeInMillis: () => Math.max(0, Number(deadline) - Date.now()),
};

try {
  const began = performance.now();
  const handler = createRequire(join(root, 'index.js'))(`./${entry.slice(0, dot)}.cjs`)[entry.slice(dot + 1)];
  say('START', { initMs: Math.round(performance.now() - began) });
  await handler({}, context);
  say('REPORT', { ms: Math.round(performance.now() - began), rssMB: Math.round(process.memoryUsage.rss() / 1e6) });
  process.exit(0);
} catch (error) {
  say('ERROR', { error: error instanceof Error ? `${error.name}: ${error.message}` : String(error) });
  process.exit(1);
}
