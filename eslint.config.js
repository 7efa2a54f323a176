import tseslint from 'typescript-eslint';

/** Who starts processes, and nobody else. */
const PROCESSES = {
  regex: '^(node:)?child_process$|^execa$',
  message: 'Processes are started by system/process.ts, for system/run.ts; long-lived servers by system/run-server.ts.',
};

/** One version of Temporal's packages: the entry of the function is the only place that must follow when that of Lambda lags behind. */
const LAMBDA = {
  regex: '^@temporalio/lambda-worker',
  message: 'worker/control-lambda.ts is the only file that knows of Lambda workers.',
};

/** Imports go one way (docs/design): a folder's code may not import what is listed for it. Paths are relative to a file of that folder. */
const folder = (names) => `^(?:\\.\\./)+(?:${names.join('|')})/`;
const BUT_TOOLS = '^(?:\\.\\./)+activities/(?!dom0/tools/)';
const TEMPORAL = '^@temporalio/';

const DOM0 = {
  regex: folder(['cli', 'client', 'workflows', 'worker', 'lab', 'fake', 'deploy', 'gateway', 'control']),
  message: 'activities/dom0 imports contract, system and xlcfg; of order, the settings of a dom0.',
};

const BOUNDARIES = [
  {
    files: ['xlcfg/**/*.ts'],
    forbidden: [
      {
        regex: '^\\.\\./(?:\\.\\./)*[a-z]+/|^(?!node:|\\.|fastest-levenshtein$)',
        message: 'xlcfg stands alone: an editor of xl cfg files and nothing else.',
      },
    ],
  },
  {
    files: ['contract/**/*.ts'],
    forbidden: [
      { regex: '^\\.\\./', message: 'contract is what everybody shares: it imports nobody.' },
      { regex: TEMPORAL, message: 'contract is free of Temporal.' },
    ],
  },
  {
    files: ['order/**/*.ts'],
    forbidden: [
      { regex: '^\\.\\./(?:\\.\\./)*(?!contract/)', message: 'order is what people write, checked: it imports contract.' },
      { regex: TEMPORAL, message: 'order is free of Temporal.' },
    ],
  },
  {
    files: ['workflows/**/*.ts'],
    forbidden: [
      {
        regex: '^node:|^zod',
        message: 'Workflow code is deterministic, and zod costs a megabyte a workflow: import types and pure functions only.',
      },
      { regex: folder(['activities']), allowTypeImports: true, message: 'Workflows see activities as types only.' },
      {
        regex: folder(['cli', 'client', 'worker', 'lab', 'fake', 'xlcfg', 'deploy', 'gateway', 'order', 'system']),
        message: 'Workflows import contract only.',
      },
    ],
  },
  {
    files: ['client/**/*.ts'],
    forbidden: [
      { regex: folder(['activities']), message: 'Clients know the contract; a step is asked for, not called.' },
      {
        regex: folder(['cli', 'workflows', 'worker', 'lab', 'fake', 'xlcfg', 'deploy', 'gateway']),
        message: 'Clients import contract, order and system.',
      },
    ],
  },
  {
    files: ['gateway/**/*.ts'],
    forbidden: [
      { regex: folder(['activities']), allowTypeImports: true, message: 'The gateway starts work; it does none.' },
      {
        regex: folder(['cli', 'workflows', 'worker', 'lab', 'fake', 'xlcfg', 'deploy']),
        message: 'The gateway imports client, contract, order and system: it runs without a worker.',
      },
    ],
  },
  {
    files: ['system/**/*.ts'],
    forbidden: [
      { regex: TEMPORAL, message: 'system knows this machine, not Temporal.' },
      {
        regex: '^\\.\\./(?:\\.\\./)*(?!\\.\\./|contract/(?:defined|errors|sizes)\\.ts$)',
        message: 'system knows this machine and no word of guestflow: of contract, only sizes, errors and defined().',
      },
    ],
  },
  {
    files: ['activities/control/**/*.ts'],
    forbidden: [
      { regex: '^(?:\\.\\./)+dom0/', message: 'The control worker runs on no dom0.' },
      {
        regex: folder(['cli', 'workflows', 'worker', 'lab', 'fake', 'deploy', 'gateway', 'xlcfg']),
        message: 'activities/control imports client, contract, order and system.',
      },
    ],
  },
  {
    files: ['activities/dom0/**/*.ts'],
    ignores: ['activities/dom0/{tools,steps,storage,toolstack}/**'],
    forbidden: [DOM0],
  },
  {
    files: ['activities/dom0/steps/**/*.ts'],
    forbidden: [
      DOM0,
      {
        regex:
          '^\\.\\./(?:storage|toolstack|backup)/(?!port\\.ts$)|^\\.\\./tools/|^\\.\\./guests/paravirtual|^\\.\\./drivers\\.ts$|(?:xen-tools|mmdebstrap)\\.ts$',
        message: 'Steps see ports, never a tool or a driver.',
      },
    ],
  },
  {
    files: ['activities/dom0/storage/**/*.ts'],
    forbidden: [
      DOM0,
      {
        regex: '(?:^|/)(?:toolstack|guests|images|backup|steps)/',
        message: 'A storage driver knows volumes: no domain, no guest, no backup.',
      },
    ],
  },
  {
    files: ['activities/dom0/toolstack/**/*.ts'],
    forbidden: [
      DOM0,
      { regex: '(?:^|/)(?:storage|guests|images|backup|steps)/', message: 'A toolstack driver knows domains: no disk, no backup.' },
    ],
  },
  {
    files: ['activities/dom0/tools/**/*.ts'],
    forbidden: [
      { regex: TEMPORAL, message: 'Tools do not know Temporal.' },
      {
        regex: `^\\.\\./(?!\\.\\./)|${folder(['cli', 'client', 'workflows', 'worker', 'lab', 'fake', 'deploy', 'xlcfg', 'gateway'])}`,
        message: 'activities/dom0/tools imports contract and system.',
      },
    ],
  },
  {
    files: ['prepare/**/*.ts'],
    forbidden: [
      { regex: BUT_TOOLS, message: 'No worker runs on a host that is prepared: the steps are not for it.' },
      {
        regex: folder(['cli', 'client', 'workflows', 'worker', 'lab', 'fake', 'xlcfg', 'deploy', 'gateway']),
        message: 'prepare imports system, activities/dom0/tools and contract.',
      },
      { regex: TEMPORAL, message: 'A host that is prepared does not know Temporal.' },
    ],
  },
  {
    files: ['fake/**/*.ts'],
    forbidden: [
      // It answers the scripts that run in a guest, and knows them by their text.
      { regex: '^(?:\\.\\./)+activities/(?!dom0/guests/scripts\\.ts$)', message: 'The fake stands behind system/run.ts.' },
      {
        regex: folder(['cli', 'client', 'workflows', 'worker', 'lab', 'deploy', 'gateway']),
        message: 'The fake imports system, contract and xlcfg.',
      },
      { regex: TEMPORAL, message: 'The fake is a dom0, not Temporal.' },
    ],
  },
  {
    files: ['lab/**/*.ts'],
    forbidden: [
      { regex: folder(['activities']), message: 'The lab is a machine: it does not know the steps.' },
      {
        regex: folder(['cli', 'client', 'workflows', 'worker', 'fake', 'xlcfg', 'deploy', 'gateway']),
        message: 'The lab imports system and contract.',
      },
      { regex: TEMPORAL, message: 'The lab is a machine, not Temporal.' },
    ],
  },
];

const restrict = (patterns) => ({ '@typescript-eslint/no-restricted-imports': ['error', { patterns }] });

export default tseslint.config(
  { ignores: ['node_modules/', 'dist/', '.guestflow/', 'coverage/', 'test/fixtures/'] },
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports' }],
      '@typescript-eslint/explicit-module-boundary-types': 'error',
      // `() => { resolve(); }` says no more than `() => resolve()`.
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      'no-console': 'error',
      // A name that begins with _ says that it is left out on purpose: what is taken off an object, an argument that a table of functions has.
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      eqeqeq: 'error',
      ...restrict([PROCESSES, LAMBDA]),
    },
  },
  ...BOUNDARIES.map(({ files, ignores, forbidden }) => ({
    files,
    ...(ignores ? { ignores } : {}),
    rules: restrict([PROCESSES, LAMBDA, ...forbidden]),
  })),
  // Those that start processes, held to the other rules of their folder.
  {
    files: ['system/{process,run-server}.ts'],
    rules: restrict(BOUNDARIES.find(({ files }) => files[0] === 'system/**/*.ts').forbidden),
  },
  { files: ['worker/control-lambda.ts'], rules: restrict([PROCESSES]) },
  // Tests play every part, a hostile one among them, and their helpers' types are seen by nobody else.
  {
    files: ['test/**/*.ts'],
    rules: {
      '@typescript-eslint/no-restricted-imports': 'off',
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/explicit-module-boundary-types': 'off',
    },
  },
);
