/** `guestflow codec-server`: for the Temporal UI, where payloads are encrypted. */
import type { Command } from 'commander';
import type { Context } from '../context.ts';

export interface CodecServerCommandOptions {
  readonly port: string;
  readonly origin: string;
  readonly keyFile?: string;
}

export function registerCodecServer(program: Command, context: Context): void {
  program
    .command('codec-server')
    .summary('lets the Temporal UI of this machine read encrypted payloads')
    .description(
      'Decrypts what the Temporal UI in your browser asks for, on 127.0.0.1, until it is told to stop. Set its address in the UI: the glasses at the top, "Use Cluster-level setting and codec endpoint". Whoever can run programs on this machine can use it meanwhile.',
    )
    .option('--port <PORT>', 'port on 127.0.0.1', '8481')
    .option('--origin <URL>', 'the page that may ask: the address of the Temporal UI', 'http://127.0.0.1:8233')
    .option('--key-file <FILE>', 'file of codec keys (default: GUESTFLOW_CODEC_KEY_FILE)')
    .action(
      context.action(async (options: CodecServerCommandOptions) => (await import('../codec-server.ts')).codecServer(context.io, options)),
    );
}
