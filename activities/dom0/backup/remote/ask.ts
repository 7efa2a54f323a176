/** Asks a dom0 over ssh, and gives up on one that does not get on. */
import { GuestflowError } from '../../../../contract/errors.ts';
import { formatSize } from '../../../../contract/sizes.ts';
import { tail, ToolError } from '../../../../system/run.ts';
import { forcedCommandOf, type Remote } from '../../tools/pull-ssh.ts';
import type { HandWork } from '../../work.ts';
import { answerReader, requestLine, type AnswerSink, type Request } from './protocol.ts';

const DAY_MS = 24 * 60 * 60 * 1000;

/** What a dom0 must bring at least. */
export interface Progress {
  readonly bytes: number;
  /** In each such time. */
  readonly everyMs: number;
}

/** ssh's own exit code. */
const SSH_FAILED = 255;

/**
 * Sends a request, and takes the answer in pieces.
 *
 * @throws Unreachable when ssh does not get there, or the answer does not come on; BackupUnusable when it is not to be believed
 */
export async function ask(work: HandWork, remote: Remote, request: Request, atLeast: Progress, answer: AnswerSink): Promise<void> {
  const read = answerReader(answer);
  const stalled = new AbortController();
  let [bytes, before] = [0, 0];
  const watch = setInterval(() => {
    if (bytes - before < atLeast.bytes) stalled.abort();
    before = bytes;
  }, atLeast.everyMs);
  try {
    // The kernel passes the one line on: nothing that is asked is an argument of ssh.
    const ask = { tool: 'printf', args: ['%s\\n', requestLine(request)], mayBeCut: true } as const;
    await work.host.pipeline([ask, { tool: 'ssh', args: forcedCommandOf(remote) }], {
      timeoutMs: DAY_MS,
      signal: AbortSignal.any([work.signal, stalled.signal]),
      sink: async (piece) => {
        bytes += piece.byteLength;
        await read(piece);
      },
    });
  } catch (error) {
    if (!(error instanceof ToolError) || work.signal.aborted) throw error;
    if (!stalled.signal.aborted) throw failure(remote, error);
    const least = atLeast.bytes < 1024 ? `${atLeast.bytes} bytes` : formatSize(atLeast.bytes);
    throw unreachable(remote, `it sent less than ${least} in ${atLeast.everyMs / 1000} s`);
  } finally {
    clearInterval(watch);
  }
}

function unreachable({ host }: Remote, why: string, mend?: string): GuestflowError {
  return new GuestflowError('Unreachable', `the dom0 ${host} does not answer: ${why}`, {
    field: 'from',
    value: host,
    ...(mend === undefined ? {} : { mend }),
  });
}

function failure(remote: Remote, error: ToolError): GuestflowError {
  const { user, host } = remote;
  if (error.notFound) return new GuestflowError('HostNotReady', error.message, { mend: 'apt install openssh-client' });
  const why = tail(error.stderr, 3) || error.message;
  if (error.code !== SSH_FAILED || error.tooMuch)
    return new GuestflowError('ToolFailed', `what ${user}@${host} runs for this key has failed: ${error.message}`, { field: 'from' });
  if (/host key|IDENTIFICATION HAS CHANGED/i.test(error.stderr))
    return unreachable(
      remote,
      why,
      `write the dom0's host key, as /etc/ssh/ssh_host_ed25519_key.pub there says it, into the file of --known-hosts`,
    );
  if (/permission denied/i.test(error.stderr))
    return unreachable(remote, why, `add the public half of --identity to authorized_keys of ${user} there`);
  return unreachable(remote, why);
}
