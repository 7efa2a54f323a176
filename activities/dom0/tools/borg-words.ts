/** What borg says on its standard error with `--log-json`: a line of JSON each, between lines of the tool that it runs. */
import { z } from 'zod';
import { lineReader } from '../../../system/lines.ts';
import { plainText } from '../../../system/plain-text.ts';

/** How much of an unfinished line is kept. */
const LONGEST_LINE = 64 * 1024;
/** How many of its complaints are kept, and how long each. */
const COMPLAINTS = 5;
const LONGEST_COMPLAINT = 500;

const count = z.number().min(0).exactOptional();

const lineSchema = z.looseObject({
  type: z.string(),
  levelname: z.string().exactOptional(),
  message: z.string().exactOptional(),
  /** Names an error, where borg has a name for it. */
  msgid: z.string().nullish(),
  original_size: count,
  deduplicated_size: count,
  current: count,
  total: count,
});

type Line = z.output<typeof lineSchema>;

/** What was heard so far. */
export interface Heard {
  readonly onStderr: (text: string) => void;
  /** Names of its errors. */
  readonly names: () => ReadonlySet<string>;
  /** Its errors and warnings, in words. */
  readonly complaints: () => string;
}

/** Who is told of it. Default: nobody. */
export interface Listeners {
  /** How far `borg create` is. */
  readonly progress?: (line: Line) => void;
  /** How far any other command is. */
  readonly percent?: (line: Line) => void;
  /** Each line that is not borg's. */
  readonly other?: (line: string) => void;
}

export function hearBorg({ progress, percent, other }: Listeners): Heard {
  const names = new Set<string>();
  const complaints: string[] = [];
  const look = (text: string): void => {
    const line = parse(text);
    if (line === undefined) {
      if (text.trim() !== '') other?.(text);
    } else if (line.type === 'archive_progress' && line.original_size !== undefined) progress?.(line);
    else if (line.type === 'progress_percent' && line.total !== undefined) percent?.(line);
    else if (line.levelname === 'ERROR' || line.levelname === 'CRITICAL' || line.levelname === 'WARNING') {
      if (line.msgid) names.add(line.msgid);
      if (complaints.length < COMPLAINTS) complaints.push(plainText(line.message ?? '').slice(0, LONGEST_COMPLAINT));
    }
  };
  const reader = lineReader(look, { longest: LONGEST_LINE });
  const end = (): void => reader.end();
  return {
    onStderr: (text) => reader.push(text),
    names() {
      end();
      return names;
    },
    complaints() {
      end();
      return complaints.join('; ');
    },
  };
}

function parse(text: string): Line | undefined {
  if (!text.startsWith('{')) return undefined;
  try {
    return lineSchema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}

const reportSchema = z.object({ archive: z.object({ stats: z.object({ deduplicated_size: z.number().min(0) }) }) });

/** Bytes that an archive has added, by the report of `borg create --json`; undefined if it is none. */
export function addedIn(report: string): number | undefined {
  try {
    return reportSchema.safeParse(JSON.parse(report)).data?.archive.stats.deduplicated_size;
  } catch {
    return undefined;
  }
}

/** Who has one of borg's own locks (`HOST@ID.PID-THREAD`), by the name of the file of an exclusive one, or the text of the list of all. */
export function holdersIn(exclusive: readonly string[], roster: string): string[] {
  const listed = [...roster.matchAll(/\[\s*"([^"]*)"\s*,\s*(\d+)\s*,/g)].map(([, host = '', pid = '']) => `${host}.${pid}`);
  return [...new Set([...exclusive.map((name) => name.replace(/-[0-9a-f]+$/, '')), ...listed])];
}
