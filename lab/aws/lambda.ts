/** AWS Lambda, as far as Temporal's worker controller uses it: a function is looked at, and invoked as an event. */
import { randomUUID } from 'node:crypto';
import { invoke, type InvocationEnd, type LambdaFunction } from './invocation.ts';
import { AwsRefusal } from './refusal.ts';

/** An event that waits longer than this for a free process is dropped: `MaximumEventAgeInSeconds`, at its least. */
const OLDEST_EVENT_MS = 60_000;
/** Most events that wait. Lambda's own queue has no such bound; a controller that goes wild would fill memory here. */
const MOST_WAITING = 100;

/** Told of each invocation. */
export interface LambdaLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}

export interface LambdaOptions {
  readonly functions: readonly LambdaFunction[];
  readonly logFile: string;
  readonly log: LambdaLog;
}

/** Functions, and their invocations. */
export class Lambda {
  private readonly options: LambdaOptions;
  private readonly stopping = new AbortController();
  private readonly running = new Map<string, Set<Promise<unknown>>>();
  private readonly waiting: { readonly lambda: LambdaFunction; readonly at: number }[] = [];
  /** Invocations that were begun. */
  begun = 0;

  constructor(options: LambdaOptions) {
    this.options = options;
  }

  /** @throws AwsRefusal ResourceNotFoundException */
  find(arn: string, region: string): LambdaFunction {
    const found = this.options.functions.find((lambda) => lambda.arn === arn);
    if (found === undefined || arn.split(':')[3] !== region)
      throw new AwsRefusal(404, 'ResourceNotFoundException', `Function not found: ${arn}`);
    return found;
  }

  /** GetFunction. */
  describe(lambda: LambdaFunction): Response {
    const { arn, name, handler, memoryMiB, timeoutSeconds } = lambda;
    const configuration = { FunctionName: name, FunctionArn: arn, Handler: handler, MemorySize: memoryMiB, Timeout: timeoutSeconds };
    const body = { Configuration: { ...configuration, Runtime: 'nodejs24.x', State: 'Active', LastUpdateStatus: 'Successful' } };
    return Response.json(body);
  }

  /** Invoke: takes an event; it is worked on at once, or when an invocation before it has ended. */
  take(lambda: LambdaFunction, invocationType: string | null): Response {
    if (invocationType !== 'Event')
      throw new AwsRefusal(400, 'InvalidParameterValueException', 'this stand-in takes events only (X-Amz-Invocation-Type: Event)');
    if (this.waiting.length >= MOST_WAITING) throw new AwsRefusal(429, 'TooManyRequestsException', 'Rate Exceeded.');
    this.waiting.push({ lambda, at: Date.now() });
    this.next();
    return new Response(null, { status: 202, headers: { 'x-amzn-requestid': randomUUID() } });
  }

  /** Ends all invocations. */
  async stop(): Promise<void> {
    this.stopping.abort();
    this.waiting.length = 0;
    await Promise.all([...this.running.values()].flatMap((running) => [...running]));
  }

  /** Begins what waits, as far as the functions' concurrency allows. */
  private next(): void {
    for (const event of [...this.waiting]) {
      const running = this.runningOf(event.lambda);
      if (running.size >= event.lambda.concurrency) continue;
      this.waiting.splice(this.waiting.indexOf(event), 1);
      if (Date.now() - event.at > OLDEST_EVENT_MS) continue;
      const work = this.run(event.lambda).finally(() => {
        running.delete(work);
        if (!this.stopping.signal.aborted) this.next();
      });
      running.add(work);
    }
  }

  private runningOf({ arn }: LambdaFunction): Set<Promise<unknown>> {
    const running = this.running.get(arn) ?? new Set();
    this.running.set(arn, running);
    return running;
  }

  private async run(lambda: LambdaFunction): Promise<void> {
    const { log, logFile } = this.options;
    const requestId = randomUUID();
    this.begun += 1;
    log.info({ arn: lambda.arn, requestId }, 'function invoked');
    const end = await invoke(lambda, requestId, logFile, this.stopping.signal).catch((error: unknown): InvocationEnd => {
      log.warn({ requestId, err: error }, 'the function could not be started');
      return 'ended';
    });
    const fine = end === 'ended' || end === 'stopped';
    log[fine ? 'info' : 'warn']({ arn: lambda.arn, requestId, end }, `function ${end}`);
  }
}

/** A refusal of Lambda, in JSON. */
export function lambdaRefusal({ status, code, message }: AwsRefusal): Response {
  return Response.json({ Type: 'User', Message: message }, { status, headers: { 'x-amzn-errortype': code } });
}
