/** Versions of the control workers' deployment, as Temporal keeps them. */
import { CONTROL_QUEUE } from '../../contract/names.ts';
import { defined } from '../../contract/defined.ts';
import type { Session } from '../session.ts';
import { computeConfig, functionOf, type Compute } from './compute.ts';
import { GRPC, hasCode, whyNotTaken } from './refusals.ts';
import { GuestflowError } from '../../contract/errors.ts';

/** One build of the control worker. */
export interface Version {
  readonly buildId: string;
  /** ARN of its function; undefined: long-lived workers only. */
  readonly functionArn?: string;
  /** Whether a worker of it has ever polled the queue for workflows, and that for activities. */
  readonly serves: boolean;
  /** `draining`: workflows are still pinned to it. `drained`: none is. */
  readonly drainage?: 'draining' | 'drained';
  /** ISO 8601. */
  readonly createdAt: string;
}

/** All that Temporal knows of the deployment. */
export interface Deployment {
  readonly name: string;
  /** Build id of the current version; undefined: unversioned workers are. */
  readonly current?: string;
  /** The newest first. */
  readonly versions: readonly Version[];
}

/** The server's words for no version. */
const UNVERSIONED = '__unversioned__';
/** The kinds of tasks that a control worker polls for, workflows and activities, and the words for drainage: both as numbers on the wire. */
const KINDS: readonly number[] = [1, 2];
const DRAINAGE: Readonly<Record<number, Version['drainage']>> = { 1: 'draining', 2: 'drained' };

/** One deployment in Temporal. */
export class Deployments {
  private readonly session: Session;
  readonly name: string;
  private readonly namespace: string;

  constructor(session: Session, name: string) {
    this.session = session;
    this.name = name;
    this.namespace = session.endpoint.namespace;
  }

  private get service(): Session['client']['workflowService'] {
    return this.session.client.workflowService;
  }

  private call<T>(work: () => Promise<T>): Promise<T> {
    return this.session.call(`worker deployment ${this.name}`, work);
  }

  /** As it is; a deployment that does not exist has no versions. */
  async look(): Promise<Deployment> {
    const { namespace, name } = this;
    const info = await this.call(() =>
      this.service
        .describeWorkerDeployment({ namespace, deploymentName: name })
        .then(({ workerDeploymentInfo }) => workerDeploymentInfo, unlessCode(GRPC.notFound)),
    );
    const ids = (info?.versionSummaries ?? []).map(({ deploymentVersion }) => deploymentVersion?.buildId ?? '').filter((id) => id !== '');
    const versions = (await Promise.all(ids.map((id) => this.version(id)))).filter((version) => version !== undefined);
    const current = info?.routingConfig?.currentDeploymentVersion?.buildId ?? undefined;
    return {
      name,
      ...defined({ current: current === '' || current === UNVERSIONED ? undefined : current }),
      versions: versions.sort((one, other) => other.createdAt.localeCompare(one.createdAt)),
    };
  }

  /** One version; undefined when there is none. */
  async version(buildId: string): Promise<Version | undefined> {
    const deploymentVersion = { deploymentName: this.name, buildId };
    const answer = await this.call(() =>
      this.service.describeWorkerDeploymentVersion({ namespace: this.namespace, deploymentVersion }).catch(unlessCode(GRPC.notFound)),
    );
    const info = answer?.workerDeploymentVersionInfo;
    if (answer === undefined || info === null || info === undefined) return undefined;
    const polled = answer.versionTaskQueues.filter(({ name }) => name === CONTROL_QUEUE).map(({ type }): number => type ?? 0);
    const drainage = DRAINAGE[info.drainageInfo?.status ?? 0];
    return {
      buildId,
      ...defined({ functionArn: functionOf(info.computeConfig), drainage }),
      serves: KINDS.every((kind) => polled.includes(kind)),
      createdAt: new Date(Number(info.createTime?.seconds ?? 0) * 1_000 + (info.createTime?.nanos ?? 0) / 1e6).toISOString(),
    };
  }

  /** Makes the deployment, unless it is there. */
  async make(): Promise<void> {
    const { namespace, name, service } = this;
    await this.call(() =>
      service
        .createWorkerDeployment({ namespace, deploymentName: name, requestId: `guestflow/${name}` })
        .catch(unlessCode(GRPC.alreadyExists)),
    );
  }

  /**
   * Makes a version, or gives its function to one that only long-lived workers have served so far. Temporal asks AWS first whether it can invoke it.
   *
   * @throws GuestflowError InvalidInput or HostNotReady with what AWS or Temporal lacks; Busy when the version has another function
   */
  async makeVersion(buildId: string, compute: Compute): Promise<void> {
    const former = await this.version(buildId);
    if (former?.functionArn === compute.functionArn) return;
    if (former?.functionArn !== undefined)
      throw new GuestflowError('Busy', `build ${buildId} is rolled out already, with the function ${former.functionArn}`, {
        field: 'function',
        value: compute.functionArn,
        mend: 'a build keeps its function: publish a new one',
      });
    const { namespace, service } = this;
    const version = {
      namespace,
      deploymentVersion: { deploymentName: this.name, buildId },
      requestId: `guestflow/${this.name}/${buildId}`,
    };
    const config = computeConfig(compute);
    const groups = Object.entries(config.scalingGroups).map(([name, scalingGroup]) => [name, { scalingGroup }] as const);
    const ask = (): Promise<unknown> =>
      former === undefined
        ? service.createWorkerDeploymentVersion({ ...version, computeConfig: config })
        : service.updateWorkerDeploymentVersionComputeConfig({ ...version, computeConfigScalingGroups: Object.fromEntries(groups) });
    await this.call(() =>
      ask().catch((error: unknown) => {
        throw whyNotTaken(error, compute) ?? error;
      }),
    );
  }

  /** @param buildId undefined: unversioned workers */
  async setCurrent(buildId: string | undefined): Promise<void> {
    const { namespace, name, service } = this;
    await this.call(() => service.setWorkerDeploymentCurrentVersion({ namespace, deploymentName: name, buildId: buildId ?? '' }));
  }

  /** Removes a version that is drained. Its function may go then, too. */
  async remove(buildId: string): Promise<void> {
    const { namespace, name, service } = this;
    await this.call(() => service.deleteWorkerDeploymentVersion({ namespace, deploymentVersion: { deploymentName: name, buildId } }));
  }
}

function unlessCode(code: number): (error: unknown) => undefined {
  return (error) => {
    if (!hasCode(error, code)) throw error;
    return undefined;
  };
}
