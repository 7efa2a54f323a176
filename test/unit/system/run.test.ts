/** The real runner: a process that prints without an end is ended, and says so. */
import { readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { describe, expect, it } from 'vitest';
import { createRunner, type PipelineStage, type ToolError } from '../../../system/run.ts';

const KiB = 1_024;
const shell = (script: string, maxOutput?: number): Promise<{ stdout: string }> =>
  createRunner().run('sh', ['-c', script], { okCodes: [0, 3], timeoutMs: 20_000, ...(maxOutput === undefined ? {} : { maxOutput }) });

describe('a process', () => {
  it.each([
    ['without an end', 'yes'],
    ['on standard error', 'yes >&2'],
    ['and ends well', `head -c ${String(65 * KiB)} /dev/zero`],
    ['and ends with a code that is accepted', `head -c ${String(65 * KiB)} /dev/zero; exit 3`],
    ['and then waits', `head -c ${String(65 * KiB)} /dev/zero; exec sleep 60`],
  ])('that prints more than it may, %s, is ended, and an error', async (_, script) => {
    const error = await shell(script, 64 * KiB).catch((failure: unknown) => failure);
    expect(error).toMatchObject({
      name: 'ToolError',
      tooMuch: true,
      timedOut: false,
      message: 'sh printed more than 64 KiB and was ended',
    });
    expect((error as ToolError).stdout.length).toBeLessThanOrEqual(64 * KiB);
  });

  it("whose words are a tenant's cannot steer the terminal of who reads why it failed", async () => {
    await expect(shell(`printf 'label \\033]0;title\\007\\033[2Jend'; exit 1`)).rejects.toMatchObject({
      message: 'sh ended with exit code 1: label end',
    });
  });

  it('that prints all that it may is none', async () => {
    expect((await shell(`head -c ${String(64 * KiB)} /dev/zero`, 64 * KiB)).stdout).toHaveLength(64 * KiB);
  });

  it('has a bound by default, which its messages in a pipeline have, too', async () => {
    await expect(shell('yes')).rejects.toMatchObject({ tooMuch: true });
    const sink = (): void => undefined;
    await expect(
      createRunner().pipeline(
        [
          { tool: 'sh', args: ['-c', 'yes >&2'] },
          { tool: 'cat', args: [] },
        ],
        { sink },
      ),
    ).rejects.toMatchObject({ tool: 'sh', tooMuch: true });
    expect(
      (await createRunner().pipeline([{ tool: 'sh', args: ['-c', 'echo once >&2; head -c 9000000 /dev/zero'] }], { sink })).stages,
    ).toEqual([{ code: 0, stderr: 'once\n' }]);
  });
});

describe('a pipeline', () => {
  const words = async (stages: readonly PipelineStage[]): Promise<string> => {
    const out: Buffer[] = [];
    await createRunner().pipeline(stages, { sink: (chunk) => void out.push(Buffer.from(chunk)) });
    return Buffer.concat(out).toString();
  };
  const YES = { tool: 'yes', args: [] };
  const HEAD = { tool: 'head', args: ['-n', '1'] };

  it('gives what one stage prints to the next one, each byte once and in order', async () => {
    const whole = await words([
      { tool: 'seq', args: ['1', '200000'] },
      { tool: 'cat', args: [] },
      { tool: 'cat', args: [] },
    ]);
    expect(whole).toMatch(/^1\n2\n[^]*\n199999\n200000\n$/);
    expect(whole).toHaveLength(1_288_895);
  });

  it('fails if a stage cannot give all of its output to the next one, unless that may be', async () => {
    await expect(words([YES, HEAD])).rejects.toMatchObject({ tool: 'yes', code: undefined });
    expect(await words([{ ...YES, mayBeCut: true }, HEAD])).toBe('y\n');
  });

  it('ends the other stages if one is not there, and names it', async () => {
    await expect(words([YES, { tool: 'guestflow-no-such-tool', args: [] }])).rejects.toMatchObject({ notFound: true });
    await expect(
      words([
        { tool: 'guestflow-no-such-tool', args: [] },
        { tool: 'cat', args: [] },
      ]),
    ).rejects.toMatchObject({ notFound: true });
  });

  it('leaves no file descriptor and no pipe behind, however it ends', async () => {
    const before = readdirSync('/proc/self/fd').length;
    for (let time = 0; time < 20; time += 1) await words([YES, HEAD]).catch(() => undefined);
    expect(readdirSync('/proc/self/fd').length).toBeLessThan(before + 10);
    expect(readdirSync(tmpdir()).filter((name) => name.startsWith('guestflow-pipe-'))).toEqual([]);
  });

  it('keeps nothing of a standard error that somebody listens to, however long it is', async () => {
    let heard = 0;
    const loud = { tool: 'sh', args: ['-c', 'head -c 3000000 /dev/zero >&2'], onStderr: (text: string) => void (heard += text.length) };
    const { stages } = await createRunner().pipeline([loud], { sink: () => undefined });
    expect(heard).toBe(3_000_000);
    expect(stages).toEqual([{ code: 0, stderr: '' }]);
  });

  it('quotes the last words of a stage that fails, whoever has listened to it', async () => {
    const failing = { tool: 'sh', args: ['-c', 'printf "1 MB copied\\rdd: No space left" >&2; exit 1'], onStderr: () => undefined };
    await expect(createRunner().pipeline([failing], { sink: () => undefined })).rejects.toThrow(/exit code 1: .*dd: No space left/s);
  });
});

describe('a process in the background', () => {
  /** Its nice value, and its I/O class. */
  const LOOK = 'nice; ionice -p $$';

  it('gets what nobody else wants, alone and in a row; others do not', async () => {
    const runner = createRunner();
    expect((await runner.run('sh', ['-c', LOOK], { isInBackground: true })).stdout).toBe('19\nidle\n');
    expect((await runner.run('sh', ['-c', LOOK])).stdout).not.toContain('idle');
    let said = '';
    const stages: PipelineStage[] = [
      { tool: 'sh', args: ['-c', LOOK] },
      { tool: 'sh', args: ['-c', `cat; ${LOOK}`] },
    ];
    await runner.pipeline(stages, { isInBackground: true, sink: (chunk) => void (said += Buffer.from(chunk).toString()) });
    expect(said).toBe('19\nidle\n19\nidle\n');
  });

  it('is ended, missed and named as any other', async () => {
    const runner = createRunner();
    const background = { isInBackground: true } as const;
    await expect(runner.run('no-such-tool', ['-x'], background)).rejects.toMatchObject({
      ...{ tool: 'no-such-tool', args: ['-x'], notFound: true, message: 'no-such-tool is not installed' },
    });
    await expect(runner.run('sh', ['-c', 'exit 7'], background)).rejects.toMatchObject({ tool: 'sh', code: 7, notFound: false });
    await expect(runner.run('sh', ['-c', 'exit 127'], background)).rejects.toMatchObject({ code: 127, notFound: false });
    const ended = AbortSignal.timeout(50);
    await expect(runner.run('sleep', ['60'], { ...background, signal: ended })).rejects.toMatchObject({ tool: 'sleep', cancelled: true });
  });
});
