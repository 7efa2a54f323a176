/** cfn-lint, from PyPI: AWS's own check of CloudFormation templates, against the schemas of its resources. */
import { join } from 'node:path';
import type { PythonTool } from '../python-tool.ts';

export const CFN_LINT: PythonTool = { name: 'cfn-lint', requirements: join(import.meta.dirname, 'requirements.txt') };
