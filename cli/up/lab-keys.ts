/** Gives the worker in the lab the codec keys that `guestflow up` runs with. */
import type { CodecKey } from '../../client/codec/keys.ts';

/** What takes a command of the lab's dom0. */
type Exec = (argv: readonly string[], options: { readonly input: string }) => Promise<unknown>;

/**
 * Puts standard input into `$1/codec-keys` (0600) and names it in `$1/worker.env`; nothing on standard input takes both away. The worker is
 * restarted when that changes anything.
 */
export const CODEC_KEYS_SCRIPT = `
set -eu
umask 077
cd "$1"
cat > codec-keys.new
touch codec-keys worker.env
if cmp -s codec-keys.new codec-keys; then
  rm codec-keys.new
  [ -s codec-keys ] || rm codec-keys
  exit 0
fi
sed -i '/^GUESTFLOW_CODEC_KEY_FILE=/d' worker.env
if [ -s codec-keys.new ]; then
  mv codec-keys.new codec-keys
  echo "GUESTFLOW_CODEC_KEY_FILE=$1/codec-keys" >> worker.env
else
  rm codec-keys.new codec-keys
fi
systemctl restart guestflow-dom0.service
`;

/** Sees to it that the lab's worker has these keys, and no others. They go over ssh's standard input. */
export async function shareCodecKeys(exec: Exec, keys: readonly CodecKey[]): Promise<void> {
  const input = keys.map(({ secret }) => `${Buffer.from(secret).toString('base64')}\n`).join('');
  await exec(['sh', '-c', CODEC_KEYS_SCRIPT, 'sh', '/etc/guestflow'], { input });
}
