/** What borg says, as 1.2.4 has said it: progress, errors by their names, and between them lines of the tool that it runs. */
import { describe, expect, it } from 'vitest';
import { addedIn, hearBorg, holdersIn } from '../../../../../activities/dom0/tools/borg-words.ts';

const SAID = [
  'e2image 1.47.0 (5-Feb-2023)',
  '{"original_size": 45709596, "compressed_size": 45709596, "deduplicated_size": 45705371, "nfiles": 0, "path": "root.img", "time": 1795999162.5, "type": "archive_progress", "finished": false}',
  '{"time": 1795999163.401042, "type": "archive_progress", "finished": true}',
  '{"message": " 99.8% Extracting: root.img", "current": 268042240, "total": 268435456, "info": ["root.img"], "operation": 1, "msgid": "extract", "type": "progress_percent", "finished": false, "time": 1795999167.1}',
  '{"operation": 1, "msgid": "extract", "type": "progress_percent", "finished": true, "time": 1795999167.2}',
  '{"type": "log_message", "time": 1795999170.7, "message": "passphrase supplied in BORG_PASSPHRASE, by BORG_PASSCOMMAND or via BORG_PASSPHRASE_FD is incorrect.", "levelname": "ERROR", "name": "borg.archiver", "msgid": "PassphraseWrong"}',
  '{"type": "log_message", "time": 1795999168.7, "message": "Command \'bash\' exited with status 1", "levelname": "ERROR", "name": "borg.archiver"}',
  'b1232507faa75eb425b9765dba9daff2cbc7824d507dd9aa52743e07c9fdbb12 *stdin',
].join('\n');

function hear(pieces: readonly string[]): object {
  const told: unknown[] = [];
  const heard = hearBorg({
    progress: ({ original_size: read, deduplicated_size: added }) => told.push([read, added]),
    percent: ({ current, total }) => told.push([current, total]),
    other: (line) => told.push(line),
  });
  for (const piece of pieces) heard.onStderr(piece);
  return { complaints: heard.complaints(), names: [...heard.names()], told };
}

describe('what borg says', () => {
  it('is told apart from what the tool says that it runs, wherever it is cut into pieces', () => {
    const whole = {
      told: [
        'e2image 1.47.0 (5-Feb-2023)',
        [45_709_596, 45_705_371],
        [268_042_240, 268_435_456],
        'b1232507faa75eb425b9765dba9daff2cbc7824d507dd9aa52743e07c9fdbb12 *stdin',
      ],
      names: ['PassphraseWrong'],
      complaints:
        "passphrase supplied in BORG_PASSPHRASE, by BORG_PASSCOMMAND or via BORG_PASSPHRASE_FD is incorrect.; Command 'bash' exited with status 1",
    };
    for (let at = 0; at <= SAID.length; at += 7) expect(hear([SAID.slice(0, at), SAID.slice(at)]), `cut at ${at}`).toEqual(whole);
  });

  it.each(['{', '{"type": 1}', '{"type": "archive_progress", "original_size": "many"}'])(
    'may be nothing that is understood: %s',
    (line) => {
      expect(hear([line])).toEqual({ told: [line], names: [], complaints: '' });
    },
  );

  it('of what it has made is the bytes that were added, or nothing', () => {
    expect(addedIn('{"archive": {"name": "A", "stats": {"deduplicated_size": 62943111, "nfiles": 1}}}')).toBe(62_943_111);
    for (const other of ['', '[]', '{"archive": {"stats": {"deduplicated_size": -1}}}']) expect(addedIn(other)).toBeUndefined();
  });

  it('of locks are the holders, of exclusive and of shared ones', () => {
    expect(holdersIn(['guestflow.4711-0'], '{"exclusive": [["guestflow", 4711, 0]], "shared": [["xen1@2485377892354", 12, 0]]}')).toEqual([
      'guestflow.4711',
      'xen1@2485377892354.12',
    ]);
    expect(holdersIn([], '')).toEqual([]);
  });
});
