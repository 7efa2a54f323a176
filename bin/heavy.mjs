/**
 * Commands that need packages with native parts, or whose packages find their own files: the workers, and what contains one. Each has its work in
 * `cli/COMMAND.ts`.
 */
export const HEAVY = ['up', 'worker', 'gateway', 'lab', 'codec-server'];
