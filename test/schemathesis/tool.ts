/** Schemathesis, from PyPI. */
import { join } from 'node:path';
import type { PythonTool } from '../python-tool.ts';

export const SCHEMATHESIS: PythonTool = { name: 'schemathesis', requirements: join(import.meta.dirname, 'requirements.txt') };
