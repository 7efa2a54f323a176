/** The real runner: a process that prints without an end is ended, and says so. */
import { describe, expect, it } from 'vitest';
import { createRunner, type ToolError } from '../../../system/run.ts';

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
  it('shows what goes from one stage to the next, each byte once and in order, and what it shows is what the next one got', async () => {
    const seen: Buffer[] = [];
    const out: Buffer[] = [];
    const stages = [
      { tool: 'seq', args: ['1', '200000'], tap: (chunk: Uint8Array) => void seen.push(Buffer.from(chunk)) },
      { tool: 'cat', args: [] },
    ];
    await createRunner().pipeline(stages, { sink: (chunk) => void out.push(Buffer.from(chunk)) });
    expect(Buffer.concat(seen).equals(Buffer.concat(out))).toBe(true);
    expect(Buffer.concat(seen).toString()).toMatch(/^1\n2\n[^]*\n199999\n200000\n$/);
  });
});
