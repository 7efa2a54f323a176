/** What `guestflow codec-server` does. */
import { createPayloadCodec } from '../client/codec/codec.ts';
import { loadCodecKeys } from '../client/codec/keys.ts';
import { GuestflowError } from '../contract/errors.ts';
import { serveCodec } from '../worker/codec-server.ts';
import type { CodecServerCommandOptions } from './commands/codec-server.ts';
import { printLine, type Io } from './io.ts';

/** Serves until SIGTERM or SIGINT. */
export async function codecServer(io: Io, { port, origin, keyFile }: CodecServerCommandOptions): Promise<undefined> {
  if (!/^\d{1,5}$/.test(port) || Number(port) > 65_535)
    throw new GuestflowError('InvalidInput', `--port "${port}" is no port`, { field: 'port', value: port });
  const keys = await loadCodecKeys(keyFile, io.env);
  if (keys.length === 0)
    throw new GuestflowError('InvalidInput', 'there is no codec key: nothing could be decrypted', {
      field: 'codecKeyFile',
      mend: 'name the file of keys with --key-file or GUESTFLOW_CODEC_KEY_FILE',
    });
  const server = await serveCodec({ codec: createPayloadCodec(keys), origin, port: Number(port) });
  printLine(io, `the codec endpoint is ${server.url}, for ${origin} only`);
  await new Promise<void>((resolve) => {
    const takeBack = io.onInterrupt(() => {
      takeBack();
      resolve();
    });
  });
  await server.close();
  return undefined;
}
