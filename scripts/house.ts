/**
 * `npm run house`: how the house is built, in figures. Lines of files and of functions (median, 90th of a hundred, longest) by room, circles of
 * imports, and the ten longest of each. Says nothing of whether it is good: two states are compared.
 */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createRunner } from '../system/run.ts';
import ts from 'typescript';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

interface Measured {
  readonly path: string;
  readonly lines: number;
  readonly functions: readonly { readonly name: string; readonly lines: number }[];
  readonly imports: readonly string[];
}

async function sources(): Promise<string[]> {
  const { stdout: listed } = await createRunner().run('git', ['ls-files', '-z', '*.ts'], { cwd: ROOT });
  return listed.split('\0').filter((path) => path !== '' && existsSync(join(ROOT, path)));
}

function nameOf(node: ts.Node): string | undefined {
  if ((ts.isFunctionDeclaration(node) || ts.isMethodDeclaration(node)) && node.body !== undefined) return node.name?.getText() ?? 'default';
  const isClosure = ts.isArrowFunction(node) || ts.isFunctionExpression(node);
  if (!isClosure) return undefined;
  const { parent } = node;
  return ts.isVariableDeclaration(parent) || ts.isPropertyAssignment(parent) ? parent.name.getText() : undefined;
}

function measure(path: string): Measured {
  const text = readFileSync(join(ROOT, path), 'utf8');
  const file = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
  const lineAt = (position: number): number => file.getLineAndCharacterOfPosition(position).line;
  const functions: { name: string; lines: number }[] = [];
  const visit = (node: ts.Node): void => {
    const name = nameOf(node);
    if (name !== undefined) functions.push({ name: `${path}: ${name}`, lines: lineAt(node.getEnd()) - lineAt(node.getStart()) + 1 });
    ts.forEachChild(node, visit);
  };
  visit(file);
  const imports = file.statements.flatMap((statement) => {
    const isLink = ts.isImportDeclaration(statement) || ts.isExportDeclaration(statement);
    if (!isLink || statement.moduleSpecifier === undefined || !ts.isStringLiteral(statement.moduleSpecifier)) return [];
    const isType = ts.isImportDeclaration(statement)
      ? statement.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword
      : statement.isTypeOnly;
    const { text: specifier } = statement.moduleSpecifier;
    return isType || !specifier.startsWith('.') ? [] : [relative(ROOT, join(ROOT, dirname(path), specifier))];
  });
  return { path, lines: text.split('\n').length - 1, functions, imports };
}

/** Files that import each other, by however many steps; types do not count. */
function circles(files: readonly Measured[]): string[][] {
  const byPath = new Map(files.map((file) => [file.path, file]));
  const reach = (from: string): Set<string> => {
    const seen = new Set<string>();
    const open = [...(byPath.get(from)?.imports ?? [])];
    for (let path = open.pop(); path !== undefined; path = open.pop()) {
      if (seen.has(path)) continue;
      seen.add(path);
      open.push(...(byPath.get(path)?.imports ?? []));
    }
    return seen;
  };
  const reached = new Map(files.map(({ path }) => [path, reach(path)]));
  const inCircles = files.map(({ path }) => path).filter((path) => reached.get(path)?.has(path) === true);
  const groups = new Map<string, string[]>();
  for (const path of inCircles) {
    const group = inCircles.filter((other) => reached.get(path)?.has(other) === true && reached.get(other)?.has(path) === true).sort();
    groups.set(group.join(' '), group);
  }
  return [...groups.values()];
}

function spread(values: readonly number[]): string {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0;
  return `${at(0.5)} / ${at(0.9)} / ${sorted.at(-1) ?? 0}`;
}

function roomOf(path: string): string {
  const [first = '', second = '', third = ''] = path.split('/');
  if (first === 'activities') return third.endsWith('.ts') || second === 'control' ? `${first}/${second}` : `${first}/${second}/${third}`;
  return first === 'workflows' && !second.endsWith('.ts') ? `${first}/${second}` : first;
}

const say = (line: string): void => void process.stdout.write(`${line}\n`);

const all = (await sources()).map(measure);
const house = all.filter(({ path }) => !path.startsWith('test/'));
const rooms = new Map<string, Measured[]>();
for (const file of house) rooms.set(roomOf(file.path), [...(rooms.get(roomOf(file.path)) ?? []), file]);
say('room | files | lines | lines of a file: median / 90th / longest | functions | lines of a function');
for (const [room, files] of [['all but tests', house] as const, ...[...rooms].sort(([a], [b]) => (a < b ? -1 : 1))]) {
  const functions = files.flatMap((file) => file.functions);
  const lines = files.reduce((sum, file) => sum + file.lines, 0);
  say(
    [
      room,
      files.length,
      lines,
      spread(files.map((file) => file.lines)),
      functions.length,
      spread(functions.map((each) => each.lines)),
    ].join(' | '),
  );
}
say(
  `tests: ${all.length - house.length} files, ${all.filter(({ path }) => path.startsWith('test/')).reduce((sum, file) => sum + file.lines, 0)} lines`,
);
const round = circles(house);
say(`circles of imports: ${round.length}`);
for (const group of round) say(`  ${group.join(' ↔ ')}`);
const longest = <T extends { readonly lines: number }>(items: readonly T[]): T[] =>
  [...items].sort((a, b) => b.lines - a.lines).slice(0, 10);
say('longest files');
for (const { path, lines } of longest(house)) say(`  ${lines} ${path}`);
say('longest functions');
for (const { name, lines } of longest(house.flatMap((file) => file.functions))) say(`  ${lines} ${name}`);
