/** A process that is talked with while it runs. */
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { READY_FD, type Attached } from '../../../system/attached.ts';
import { createHost } from '../../../system/host.ts';

const attach = (script: string, timeoutMs = 20_000): Attached =>
  createHost().attach('sh', ['-c', script], { timeoutMs, readyFd: READY_FD });

async function read(attached: Attached): Promise<string> {
  const pieces: Buffer[] = [];
  for await (const piece of attached.output) pieces.push(Buffer.from(piece as Uint8Array));
  return Buffer.concat(pieces).toString('latin1');
}

describe('an attached process', () => {
  it('says when it is ready, reads what is written as it comes, and its bytes come as they are', async () => {
    const attached = attach(String.raw`printf x >&3; read line; printf '\377%s' "$line"; cat`);
    await attached.ready;
    attached.input.write('typed\n');
    attached.input.end('more');
    expect(await read(attached)).toBe('\xfftypedmore');
    await attached.ended;
  });

  it('that ends before it is ready tells why', async () => {
    const attached = attach('echo "Could not lock" >&2; exit 11');
    await expect(attached.ready).rejects.toMatchObject({
      name: 'ToolError',
      code: 11,
      message: 'sh ended with exit code 11: Could not lock',
    });
    await attached.ended;
  });

  it('that is not there is told as one that is not installed', async () => {
    const attached = createHost().attach('/no/such/tool', [], { timeoutMs: 1_000, readyFd: READY_FD });
    await expect(attached.ready).rejects.toMatchObject({ notFound: true });
    await attached.ended;
  });

  it('waits when nobody reads what it prints', async () => {
    const attached = attach(
      'printf x >&3; i=0; while [ $i -lt 4000 ]; do printf %01000d 0; i=$((i+1)); echo $i >/dev/null; done; printf done >&2',
    );
    await attached.ready;
    await sleep(300);
    expect(attached.output.readableLength).toBeLessThan(300_000);
    expect((await read(attached)).length).toBe(4_000_000);
  });

  it('is ended when it is told to, and when its time is over', async () => {
    const told = attach('printf x >&3; exec sleep 60');
    await told.ready;
    told.end();
    await told.ended;
    await attach('exec sleep 60', 100).ended;
  });
});
