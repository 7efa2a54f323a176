/** The CloudFormation template of the functions: what it promises of rights, limits and versions, and that it fits the packages and what they read. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import { describe, expect, it } from 'vitest';
import { registerServerless, type ServerlessOptions } from '../../../cli/commands/serverless.ts';
import type { Context } from '../../../cli/context.ts';
import { SECRET_VARIABLE } from '../../../client/function-secret.ts';
import { checkCompute } from '../../../client/serverless/compute.ts';
import { BUILD_ID_LENGTH, DEFAULT_DEPLOYMENT } from '../../../contract/deployment.ts';
import { HANDLERS, TARGET } from '../../../deploy/serverless/files.ts';
import { createRunner } from '../../../system/run.ts';
import { CFN_LINT } from '../../cfn-lint/tool.ts';
import { commandOf } from '../../python-tool.ts';
import { anchors, having, parametersIn, readTemplate, TEMPLATE, type Resource } from './function-template.ts';

const ROOT = join(import.meta.dirname, '../../..');
const template = readTemplate();
const { Parameters, Resources, Outputs } = template;
const FUNCTION = 'arn:aws:lambda:eu-central-1:123456789012:function:guestflow-ControlFunction-0AbCdEfGhIjK:7';
const ROLE = 'arn:aws:iam::123456789012:role/guestflow-TemporalRole-0AbCdEfGhIjK';
const RESOURCES = Object.entries(Resources);
const ofType = (type: string): [string, Resource][] => RESOURCES.filter(([, { Type }]) => Type === type);
const functionOf = (name: string): Readonly<Record<string, unknown>> => Resources[`${name}Function`]?.Properties ?? {};
const statementsOf = (name: string): unknown[] =>
  [...having(Resources[name]?.Properties['Policies'], 'Statement')].flatMap(({ Statement }) => Statement as unknown[]);
const patternOf = (name: string): RegExp => new RegExp(`^(?:${Parameters[name]?.AllowedPattern ?? ''})$`);

describe('the template', () => {
  it.skipIf(commandOf(CFN_LINT) === undefined)('passes cfn-lint, its hints among them', async () => {
    const args = ['--include-checks', 'I', '--template', TEMPLATE];
    const { code, stdout, stderr } = await createRunner().run(commandOf(CFN_LINT) ?? '', args, { okCodes: [0, 2, 4, 6, 8, 10, 12, 14] });
    expect({ code, said: `${stdout}${stderr}` }).toEqual({ code: 0, said: '' });
  });

  it('has no anchors, which CloudFormation does not take', () => {
    expect(anchors()).toEqual([]);
  });

  it.each(Object.entries(Parameters))('says what the parameter %s is, and bounds it', (name, parameter) => {
    expect(parameter.Description).toMatch(/\S+ \S+/);
    if (name.endsWith('ObjectVersion')) return;
    if (parameter.Type === 'Number')
      expect(parameter.AllowedValues ?? (parameter.MinValue !== undefined && parameter.MaxValue)).toBeTruthy();
    else expect(parameter.AllowedPattern ?? parameter.AllowedValues).toBeDefined();
    if (parameter.AllowedPattern !== undefined && parameter.Default !== undefined) expect(parameter.Default).toMatch(patternOf(name));
  });

  it('has no default for what only you can know, and does not show the external id', () => {
    for (const name of ['ExternalId', 'ControlSecretArn', 'TemporalPrincipals', 'TemporalAddress', 'ControlBuildId'])
      expect(Parameters[name]).not.toHaveProperty('Default');
    expect(Parameters['ExternalId']?.NoEcho).toBe(true);
    expect(JSON.stringify(Outputs)).not.toContain('ExternalId');
  });
});

describe('rights', () => {
  const statements = RESOURCES.flatMap(([name]) => statementsOf(name));

  it('are given on named things only, and by name', () => {
    expect(statements.length).toBe(7);
    const [, { Properties: temporal } = { Properties: {} }] = RESOURCES.find(([name]) => name === 'TemporalRole') ?? [];
    const versions = { 'Fn::Sub': '${ControlFunction.Arn}:*' };
    for (const statement of statements)
      for (const { Effect, Action, Resource } of having(statement, 'Action')) {
        expect(Effect).toBe('Allow');
        for (const action of [Action].flat()) expect(action).toMatch(/^\w+:[A-Za-z]+$/);
        // Versions have numbers: those of one function are named by it.
        if (JSON.stringify(temporal).includes(JSON.stringify(statement))) expect(Resource).toEqual(versions);
        else expect(JSON.stringify(Resource)).not.toContain('*');
      }
    expect(JSON.stringify(RESOURCES)).not.toMatch(/ManagedPolicyArns|NotAction|NotResource|NotPrincipal/);
  });

  it('of Temporal are to look at this function and to invoke it, for those who know the external id', () => {
    expect(statementsOf('TemporalRole')).toMatchObject([{ Action: ['lambda:GetFunction', 'lambda:InvokeFunction'] }]);
    expect(Resources['TemporalRole']?.Properties['AssumeRolePolicyDocument']).toMatchObject({
      Statement: [
        {
          Principal: { AWS: { Ref: 'TemporalPrincipals' } },
          Action: 'sts:AssumeRole',
          Condition: { StringEquals: { 'sts:ExternalId': { Ref: 'ExternalId' } } },
        },
      ],
    });
    expect('arn:aws:iam::123456789012:role/temporal').toMatch(patternOf('TemporalPrincipals'));
    for (const everybody of ['*', 'arn:aws:iam::123456789012:root']) expect(everybody).not.toMatch(patternOf('TemporalPrincipals'));
  });

  it.each(['Control', 'Gateway'])('of %s are its own log and its own secret', (name) => {
    const [log, secret, key, ...others] = statementsOf(`${name}Role`);
    const arn = { Ref: `${name}SecretArn` };
    expect(log).toMatchObject({ Action: ['logs:CreateLogStream', 'logs:PutLogEvents'], Resource: { 'Fn::GetAtt': `${name}Log.Arn` } });
    expect(secret).toMatchObject({ Action: 'secretsmanager:GetSecretValue', Resource: arn });
    const condition = { StringEquals: { 'kms:EncryptionContext:SecretARN': arn } };
    expect(key).toMatchObject({ 'Fn::If': ['HasSecretKey', { Action: 'kms:Decrypt', Condition: condition }, { Ref: 'AWS::NoValue' }] });
    expect(others).toEqual([]);
    expect(functionOf(name)['LoggingConfig']).toEqual({ LogGroup: { Ref: `${name}Log` } });
    expect(functionOf(name)['Role']).toEqual({ 'Fn::GetAtt': `${name}Role.Arn` });
  });
});

describe('the functions', () => {
  it.each(['control', 'gateway'] as const)('%s: its handler is the one in the package, on the Node that it is built for', (name) => {
    const made = functionOf(name === 'control' ? 'Control' : 'Gateway');
    expect(made['Handler']).toBe(HANDLERS[name]);
    expect(made['Runtime']).toBe(`${TARGET.replace('node', 'nodejs')}.x`);
    expect(made['Architectures']).toEqual(['x86_64']);
  });

  it.each(['Control', 'Gateway'])('%s: reads all of its environment, has no secret in it, and has limits', (name) => {
    const { Variables } = functionOf(name)['Environment'] as { Variables: Record<string, unknown> };
    const read = sources();
    for (const variable of Object.keys(Variables)) expect(read, variable).toContain(`'${variable}'`);
    expect(Variables[SECRET_VARIABLE]).toEqual({ Ref: `${name}SecretArn` });
    expect(JSON.stringify(template)).not.toContain('resolve:');
    expect(Variables['TEMPORAL_TLS']).toBe('true');
    expect(functionOf(name)).toMatchObject({
      ReservedConcurrentExecutions: { Ref: `${name}Concurrency` },
      MemorySize: { Ref: `${name}Memory` },
      Timeout: { Ref: `${name}TimeLimit` },
    });
  });

  it('control: has the memory and time that it needs, and what the roll-out says by default', () => {
    expect(Parameters).toMatchObject({
      ControlMemory: { Default: 512, MinValue: 512 },
      ControlTimeLimit: { Default: 60, MinValue: 60, MaxValue: 900 },
      ControlConcurrency: { Default: 2, MinValue: 1 },
      WorkerDeployment: { Default: DEFAULT_DEPLOYMENT },
    });
    expect('0'.repeat(BUILD_ID_LENGTH)).toMatch(patternOf('ControlBuildId'));
    expect('0'.repeat(BUILD_ID_LENGTH + 1)).not.toMatch(patternOf('ControlBuildId'));
  });

  it('keep their logs for a time', () => {
    const logs = ofType('AWS::Logs::LogGroup');
    expect(logs.map(([name]) => name)).toEqual(['ControlLog', 'GatewayLog']);
    for (const [, { Properties }] of logs) expect(Properties['RetentionInDays']).toEqual({ Ref: 'LogRetention' });
  });

  it('control: is published anew when anything that a version is made of changes, and former versions are kept', () => {
    const version = Resources['ControlVersion'];
    const apart = ['PackageBucket', 'ControlKey', 'ControlObjectVersion', 'ControlConcurrency'];
    const made = parametersIn(functionOf('Control'), template).filter((name) => !apart.includes(name));
    expect(parametersIn(version?.Properties['Description'], template).sort()).toEqual(made.sort());
    expect(version).toMatchObject({ UpdateReplacePolicy: 'Retain', DeletionPolicy: 'Retain' });
  });

  it('control: the longest description of a version is one that AWS takes', () => {
    const [text, { Secret }] = (Resources['ControlVersion']?.Properties['Description'] as { 'Fn::Sub': [string, { Secret: unknown }] })[
      'Fn::Sub'
    ];
    expect(Secret).toMatchObject({ 'Fn::Select': [6, { 'Fn::Split': [':', { Ref: 'ControlSecretArn' }] }] });
    const secret = 40 + 7;
    expect(`arn:aws:secretsmanager:eu-central-1:123456789012:secret:${'x'.repeat(40)}-AbCdEf`).toMatch(patternOf('ControlSecretArn'));
    expect(`arn:aws:secretsmanager:eu-central-1:123456789012:secret:${'x'.repeat(41)}-AbCdEf`).not.toMatch(patternOf('ControlSecretArn'));
    const longest = (name: string): number => {
      const { MaxLength, MaxValue } = Parameters[name] ?? {};
      return MaxLength ?? (MaxValue === undefined ? BUILD_ID_LENGTH : String(MaxValue).length);
    };
    const filled = text.replaceAll(/\$\{(\w+)\}/g, (_all, name: string) => 'x'.repeat(name === 'Secret' ? secret : longest(name)));
    expect(filled.length).toBeLessThanOrEqual(256);
  });

  it('control: an invocation of a version is not tried again by Lambda, and waits for a minute at most', () => {
    const [[, invocations] = [], ...others] = ofType('AWS::Lambda::EventInvokeConfig');
    expect(others).toEqual([]);
    expect(invocations).toMatchObject({
      UpdateReplacePolicy: 'Retain',
      Properties: {
        FunctionName: { Ref: 'ControlFunction' },
        Qualifier: { 'Fn::GetAtt': 'ControlVersion.Version' },
        MaximumRetryAttempts: 0,
        MaximumEventAgeInSeconds: 60,
      },
    });
    // What an event says is "there is work", which Temporal says again: nothing is worth keeping in a queue.
    expect(JSON.stringify(template)).not.toMatch(/DeadLetterConfig|DestinationConfig/);
  });
});

describe('the gateway', () => {
  it('is made only when it is wanted, all of it', () => {
    const parts = RESOURCES.filter(([name]) => name.startsWith('Gateway'));
    expect(parts.length).toBeGreaterThan(8);
    for (const [name, { Condition }] of RESOURCES)
      expect([name, Condition]).toEqual([name, name.startsWith('Gateway') ? 'HasGateway' : undefined]);
    for (const [name, { Condition }] of Object.entries(Outputs))
      expect([name, Condition]).toEqual([name, name.startsWith('Gateway') ? 'HasGateway' : undefined]);
  });

  it('gets requests of the form that it reads, from this API only, and not more than it is given', () => {
    expect(Resources['GatewayIntegration']?.Properties).toMatchObject({ IntegrationType: 'AWS_PROXY', PayloadFormatVersion: '2.0' });
    expect(Resources['GatewayStage']?.Properties).toMatchObject({
      StageName: '$default',
      DefaultRouteSettings: { ThrottlingRateLimit: { Ref: 'GatewayRate' }, ThrottlingBurstLimit: { Ref: 'GatewayBurst' } },
    });
    expect(JSON.stringify(Resources['GatewayPermission']?.Properties['SourceArn'])).toContain(':${GatewayApi}/*/$default');
    // API Gateway waits for 30 s.
    expect(Parameters['GatewayTimeLimit']?.MaxValue).toBeLessThan(30);
  });
});

describe('alarms', () => {
  it.each(['Control', 'Gateway'])('of %s tell of errors, of throttles and of time that ran out', (name) => {
    const own = { Name: 'FunctionName', Value: { Ref: `${name}Function` } };
    const topic = { 'Fn::If': ['HasAlarmTopic', [{ Ref: 'AlarmTopicArn' }], { Ref: 'AWS::NoValue' }] };
    for (const metric of ['Errors', 'Throttles'])
      expect(Resources[`${name}${metric}`]?.Properties).toMatchObject({ MetricName: metric, Dimensions: [own], AlarmActions: topic });
    const left = Resources[`${name}TimeLeft`]?.Properties;
    expect(left).toMatchObject({ AlarmActions: topic, ComparisonOperator: 'LessThanThreshold', Threshold: 1000 });
    expect(left?.['Metrics']).toMatchObject([
      { Id: 'left', Expression: { 'Fn::Sub': `1000 * \${${name}TimeLimit} - duration` } },
      { Id: 'duration', ReturnData: false, MetricStat: { Stat: 'Maximum', Metric: { MetricName: 'Duration', Dimensions: [own] } } },
    ]);
  });

  it('have a line in the docs, which says what to do', () => {
    const rows = readFileSync(join(ROOT, 'docs/serverless.md'), 'utf8').match(/^\| `\w+`.* \| .+ \|$/gm) ?? [];
    for (const [name] of ofType('AWS::CloudWatch::Alarm')) expect(rows.filter((row) => row.includes(`\`${name}\``)).length, name).toBe(1);
  });
});

describe('what the stack gives', () => {
  it('is what a roll-out takes: the version of the function, not the function', () => {
    expect(Outputs).toMatchObject({
      FunctionVersionArn: { Value: { Ref: 'ControlVersion' } },
      TemporalRoleArn: { Value: { 'Fn::GetAtt': 'TemporalRole.Arn' } },
    });
  });

  it('is a command of guestflow, with all that it needs but the external id, which is not shown', async () => {
    const { 'Fn::Sub': command } = Outputs['RollOut']?.Value as { 'Fn::Sub': string };
    const values = { WorkerDeployment: 'guestflow', ControlBuildId: '0123456789ab', ControlVersion: FUNCTION, 'TemporalRole.Arn': ROLE };
    const words = command.replaceAll(/\$\{([\w.]+)\}/g, (_all, name: keyof typeof values) => values[name]).split(' ');
    let given: ServerlessOptions | undefined;
    const program = new Command();
    const action = () => (options: ServerlessOptions) => {
      given = options;
    };
    registerServerless(program, { io: {}, action } as unknown as Context);
    await program.parseAsync(words.slice(1), { from: 'user' });
    expect(words[0]).toBe('guestflow');
    expect(given).toMatchObject({ deployment: 'guestflow', buildId: '0123456789ab', function: FUNCTION, role: ROLE, externalId: 'ID' });
  });

  it('has an external id of the form that a roll-out takes', () => {
    const externalId = 'abc_DEF+1=,.@:/-';
    expect(externalId).toMatch(patternOf('ExternalId'));
    expect(() => checkCompute({ functionArn: FUNCTION, roleArn: ROLE, externalId })).not.toThrow();
    expect('too-short').not.toMatch(patternOf('ExternalId'));
  });
});

/** What reads environment variables: ours, and Temporal's reader of its own. */
function sources(): string {
  const folders = ['client', 'contract', 'gateway', 'worker', 'node_modules/@temporalio/envconfig/lib'];
  const files = folders.flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true }).map((file) => join(ROOT, folder, String(file))),
  );
  return files
    .filter((file) => /\.(ts|js)$/.test(file))
    .map((file) => readFileSync(file, 'utf8'))
    .join('\n');
}
