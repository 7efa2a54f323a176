/**
 * borg of the fake dom0, and flock, by which it is started. An archive is a small file in the repository; one that was deleted takes room until the repository
 * is compacted. A process that is killed leaves its lock. Which passphrase is given is not looked at.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import type { Machine } from './machine.ts';
import { DONE, matchArgs, type Invocation, type Simulation, type ToolOutput, type ToolTable } from './tool.ts';

const FLOCK = /^--(?:exclusive|shared) --no-fork --wait 600 --conflict-exit-code 75 -- \/\S+ borg --log-json --lock-wait 10$/;
const FLOCK_WORDS = 12;
const DELETED = 'deleted-';

/** What flock starts, if that is borg. */
export function withoutFlock(args: readonly string[]): { readonly tool: string; readonly args: readonly string[] } | undefined {
  const words = args.slice(0, FLOCK_WORDS).join(' ');
  return FLOCK.test(words) ? { tool: 'borg', args: args.slice(FLOCK_WORDS) } : undefined;
}

/** A line of `--log-json`. */
export function says(message: string, msgid?: string): ToolOutput {
  return { code: 2, stderr: `${JSON.stringify({ type: 'log_message', message, levelname: 'ERROR', name: 'borg.archiver', msgid })}\n` };
}

/** A repository on a fake dom0. */
export class FakeRepository {
  private readonly machine: Machine;
  private readonly path: string;

  constructor(machine: Machine, path: string) {
    this.machine = machine;
    this.path = path;
  }

  at(name: string): string {
    return this.machine.at(`${this.path}/${name}`);
  }

  /** Why it cannot be used. */
  closed(): ToolOutput | undefined {
    if (!existsSync(this.at('config'))) return says(`Repository ${this.path} does not exist.`, 'Repository.DoesNotExist');
    return existsSync(this.at('lock.exclusive'))
      ? says(`Failed to create/acquire the lock ${this.path}/lock.exclusive (timeout).`, 'LockTimeout')
      : undefined;
  }

  lock(): void {
    mkdirSync(this.at('lock.exclusive'), { recursive: true });
    writeFileSync(this.at('lock.exclusive/guestflow.1-0'), '');
  }

  unlock(): void {
    rmSync(this.at('lock.exclusive'), { recursive: true, force: true });
  }

  archives(): string[] {
    return readdirSync(this.at('data/0'))
      .filter((name) => !name.startsWith(DELETED))
      .sort();
  }

  write(archive: string, { content, bytes }: Archive): void {
    writeFileSync(this.at(`data/0/${archive}`), JSON.stringify({ bytes, content: content.toString('base64') }));
  }

  /** What is in an archive; undefined if it is not there, or is not what was written. */
  read(archive: string): Archive | undefined {
    try {
      const { bytes, content } = JSON.parse(readFileSync(this.at(`data/0/${archive}`), 'utf8')) as { bytes: number; content: string };
      return { bytes, content: Buffer.from(content, 'base64') };
    } catch {
      return undefined;
    }
  }

  delete(archive: string): void {
    if (existsSync(this.at(`data/0/${archive}`))) renameSync(this.at(`data/0/${archive}`), this.at(`data/0/${DELETED}${archive}`));
  }

  compact(): void {
    for (const name of readdirSync(this.at('data/0'))) if (name.startsWith(DELETED)) rmSync(this.at(`data/0/${name}`));
  }
}

export interface Archive {
  readonly content: Buffer;
  /** How much it stands for. */
  readonly bytes: number;
}

function* init(repository: FakeRepository): Simulation {
  mkdirSync(repository.at('data/0'), { recursive: true });
  yield { done: 0.5 };
  writeFileSync(repository.at('config'), 'a repository of the fake\n');
  return DONE;
}

function borg({ machine, args }: Invocation): Simulation | ToolOutput | undefined {
  if (args.join(' ') === '--version') return { code: 0, stdout: 'borg 1.2.4\n' };
  const of = (pattern: string): FakeRepository | undefined => {
    const path = matchArgs(args, pattern)?.['repository'];
    return path === undefined ? undefined : new FakeRepository(machine, path);
  };
  const made = of('init --encryption repokey-blake2 -- <repository>');
  if (made !== undefined) return init(made);
  const broken = of('break-lock -- <repository>');
  if (broken !== undefined) {
    broken.unlock();
    return DONE;
  }
  const listed = of('list --short -- <repository>');
  if (listed !== undefined)
    return (
      listed.closed() ?? {
        code: 0,
        stdout: listed
          .archives()
          .map((name) => `${name}\n`)
          .join(''),
      }
    );
  const compacted = of('compact -- <repository>');
  if (compacted !== undefined) return compacted.closed() ?? changed(compacted, () => compacted.compact());
  const exported = matchArgs(args, 'key export -- <repository> <path>');
  if (exported !== undefined) {
    writeFileSync(machine.at(exported['path'] ?? ''), 'a key of the fake\n');
    return DONE;
  }
  const [command, dashes, first = '', ...rest] = args;
  const [path = '', archive = ''] = first.split('::');
  if (command !== 'delete' || dashes !== '--' || archive === '') return undefined;
  const repository = new FakeRepository(machine, path);
  return repository.closed() ?? changed(repository, () => [archive, ...rest].forEach((name) => repository.delete(name)));
}

/** A change that is made whole at one moment. */
function* changed(repository: FakeRepository, change: () => void): Simulation {
  repository.lock();
  yield { done: 0.5 };
  change();
  repository.unlock();
  return DONE;
}

export const BORG_TOOLS: ToolTable = { borg: { seconds: () => 0.5, start: borg } };
