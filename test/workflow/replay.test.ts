/** Workflows that began with yesterday's code go on with today's: recorded histories replay. */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { bundleWorkflowCode, DefaultLogger, Worker, type WorkflowBundleWithSourceMap } from '@temporalio/worker';
import { DeterminismViolationError } from '@temporalio/workflow';
import { beforeAll, describe, expect, it } from 'vitest';
import * as workflows from '../../workflows/index.ts';
import { bundleWorkflows } from '../../worker/bundle.ts';
import { workflowBundle } from './temporal.ts';

const FOLDER = new URL('../histories/', import.meta.url).pathname;
const FILES = readdirSync(FOLDER)
  .filter((name) => name.endsWith('.json'))
  .sort();

interface RecordedEvent {
  readonly eventType: string;
  readonly workflowExecutionStartedEventAttributes?: {
    readonly workflowType: { readonly name: string };
    readonly continuedExecutionRunId?: string;
  };
  readonly workflowExecutionFailedEventAttributes?: { readonly failure: RecordedFailure };
}

interface RecordedFailure {
  readonly applicationFailureInfo?: { readonly type: string };
}

interface RecordedHistory {
  readonly events: readonly RecordedEvent[];
}

function read(file: string): RecordedHistory {
  return JSON.parse(readFileSync(`${FOLDER}${file}`, 'utf8')) as RecordedHistory;
}

/** What a history is of, and how its run began and ended. */
interface Kept {
  readonly file: string;
  readonly type: string;
  readonly isCarried: boolean;
  readonly endedBy: string | undefined;
  /** Type of the failure that the run ended with. */
  readonly failure: string | undefined;
}

const KEPT: readonly Kept[] = FILES.map((file) => {
  const { events } = read(file);
  const [began, ended] = [events[0]?.workflowExecutionStartedEventAttributes, events.at(-1)];
  if (began === undefined) throw new Error(`${file} does not begin with a start`);
  return {
    file,
    type: began.workflowType.name,
    isCarried: (began.continuedExecutionRunId ?? '') !== '',
    endedBy: ended?.eventType.replace('EVENT_TYPE_WORKFLOW_EXECUTION_', ''),
    failure: ended?.workflowExecutionFailedEventAttributes?.failure.applicationFailureInfo?.type,
  };
});

function typesOf(which: (kept: Kept) => boolean): string[] {
  return [...new Set(KEPT.filter(which).map(({ type }) => type))].sort();
}

/** As the worker registers them. */
const TYPES = Object.keys(workflows).sort();

/** Workflow types whose code continues as new. */
function typesThatContinue(): string[] {
  const folder = fileURLToPath(new URL('../../workflows/', import.meta.url));
  const text = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .map((file) => readFileSync(`${folder}${file}`, 'utf8'))
    .join('\n');
  return [...text.matchAll(/\bcontinueAsNew<typeof (\w+)>/g)].map(([, name = '']) => name).sort();
}

/** Types that undo nothing when they fail. The removal of a guest, or of its spare disks, is one: what it cannot remove is left, and named. */
const NO_SAGAS: readonly (keyof typeof workflows)[] = [
  'billingOrder',
  'dom0',
  'dom0Task',
  'guest',
  'holdHostname',
  'keepRestored',
  'network',
  'nightlyBackup',
  'notify',
  'removeGuest',
  'spendTicket',
  'watch',
];

/** All others, so that a new type is one until somebody says that it is not. */
const SAGAS = TYPES.filter((type) => !(NO_SAGAS as readonly string[]).includes(type));

describe('recorded histories', () => {
  it('are of every workflow type that there is', () => {
    expect(typesOf(() => true)).toEqual(TYPES);
  });

  it('have a run that ended by continuing as new, and one that went on from what it carried, of each type that does so', () => {
    const types = typesThatContinue();
    expect(types).toEqual(expect.arrayContaining(['dom0', 'guest', 'network']));
    expect(typesOf(({ endedBy }) => endedBy === 'CONTINUED_AS_NEW')).toEqual(types);
    expect(typesOf(({ isCarried }) => isCarried)).toEqual(types);
  });

  it('have each operation as it goes well, fails and is undone, and is cancelled and undone; and undos that could not finish', () => {
    expect(typesOf(({ endedBy }) => endedBy === 'COMPLETED')).toEqual(expect.arrayContaining(SAGAS));
    expect(typesOf(({ failure }) => failure !== undefined && !['Cancelled', 'NeedsCleanup'].includes(failure))).toEqual(
      expect.arrayContaining(SAGAS),
    );
    expect(typesOf(({ failure }) => failure === 'Cancelled')).toEqual(expect.arrayContaining(SAGAS));
    expect(typesOf(({ failure }) => failure === 'NeedsCleanup')).toEqual(expect.arrayContaining(['provisionGuest', 'removeGuest']));
  });

  it.each(FILES)('%s replays with the code as it is', async (file) => {
    await Worker.runReplayHistory({ workflowBundle: await workflowBundle() }, read(file));
  });

  it.each(SAGAS)('of %s replay with the code of a worker that traces, too', async (saga) => {
    const { codePath } = await bundleWorkflows(undefined, { isTraced: true });
    const of = KEPT.filter(({ type }) => type === saga);
    const files = ['COMPLETED', 'FAILED'].flatMap((end) => of.find(({ endedBy }) => endedBy === end)?.file ?? []);
    // A replay tells nothing; that nobody listens would be said in the log of each.
    const nobody = { fn: () => expect.unreachable(), callDuringReplay: false };
    const sinks = { traces: { workflow: nobody, activity: nobody } };
    for (const file of files) await Worker.runReplayHistory({ workflowBundle: { codePath }, sinks }, read(file));
  });
});

describe('a changed workflow', () => {
  let changed: WorkflowBundleWithSourceMap;
  beforeAll(async () => {
    const workflowsPath = fileURLToPath(new URL('changed-workflows.ts', import.meta.url));
    changed = await bundleWorkflowCode({ workflowsPath, logger: new DefaultLogger('WARN') });
  });

  const filesOf = (wanted: string): string[] => KEPT.filter(({ type }) => type === wanted).map(({ file }) => file);

  it.each(filesOf('powerGuest'))('that takes another step first breaks the replay of %s', async (file) => {
    await expect(Worker.runReplayHistory({ workflowBundle: changed }, read(file))).rejects.toThrow(DeterminismViolationError);
    await expect(Worker.runReplayHistory({ workflowBundle: await workflowBundle() }, read(file))).resolves.toBeUndefined();
  });

  it.each(filesOf('guest'))('whose change is patched replays %s', async (file) => {
    await Worker.runReplayHistory({ workflowBundle: changed }, read(file));
  });

  it.each(filesOf('suspendGuest'))('leaves the others as they are: %s replays', async (file) => {
    await Worker.runReplayHistory({ workflowBundle: changed }, read(file));
  });
});
