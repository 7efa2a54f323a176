/** Reads the CloudFormation template of the functions, with its short forms written out: `!Ref X` is `{ Ref: X }`, `!Sub X` is `{ 'Fn::Sub': X }`. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isMap, isNode, isScalar, isSeq, parseDocument, visit } from 'yaml';

export const TEMPLATE = join(import.meta.dirname, '../../../deploy/serverless/guestflow.yaml');

export interface Parameter {
  readonly Type: string;
  readonly Description?: string;
  readonly Default?: unknown;
  readonly NoEcho?: boolean;
  readonly AllowedPattern?: string;
  readonly AllowedValues?: readonly unknown[];
  readonly MinValue?: number;
  readonly MaxValue?: number;
  readonly MaxLength?: number;
}

export interface Resource {
  readonly Type: string;
  readonly Condition?: string;
  readonly UpdateReplacePolicy?: string;
  readonly DeletionPolicy?: string;
  readonly Properties: Readonly<Record<string, unknown>>;
}

export interface Template {
  readonly Parameters: Readonly<Record<string, Parameter>>;
  readonly Resources: Readonly<Record<string, Resource>>;
  readonly Outputs: Readonly<Record<string, { readonly Value: unknown; readonly Condition?: string }>>;
}

const DOCUMENT = parseDocument(readFileSync(TEMPLATE, 'utf8'));

/** @returns the template as an object of JSON */
export function readTemplate(): Template {
  return plain(DOCUMENT.contents) as Template;
}

/** YAML's anchors and their uses, which CloudFormation does not take. */
export function anchors(): string[] {
  const found: string[] = [];
  const note = (_key: unknown, node: { readonly anchor?: string | undefined }): void => {
    if (node.anchor !== undefined) found.push(node.anchor);
  };
  visit(DOCUMENT, { Collection: note, Scalar: note });
  return found;
}

function plain(node: unknown): unknown {
  if (!isNode(node)) return node;
  const tag = isMap(node) || isSeq(node) || isScalar(node) ? node.tag : undefined;
  const value = withoutTag(node);
  if (tag?.startsWith('!') !== true) return value;
  return { [tag === '!Ref' ? 'Ref' : `Fn::${tag.slice(1)}`]: value };
}

function withoutTag(node: unknown): unknown {
  if (isMap(node)) return Object.fromEntries(node.items.map(({ key, value }) => [String(key), plain(value)]));
  if (isSeq(node)) return node.items.map(plain);
  return isScalar(node) ? node.value : undefined;
}

/** All objects in it that have a key. */
export function* having(value: unknown, key: string): Generator<Readonly<Record<string, unknown>>> {
  if (typeof value !== 'object' || value === null) return;
  if (key in value) yield value as Readonly<Record<string, unknown>>;
  for (const each of Object.values(value)) yield* having(each, key);
}

/** Names of the parameters that it depends on. */
export function parametersIn(value: unknown, { Parameters }: Template): string[] {
  const named = [...having(value, 'Ref')].map((each) => String(each['Ref']));
  const text = [...JSON.stringify(value).matchAll(/\$\{(\w+)\}/g)].map(([, name = '']) => name);
  return [...new Set([...named, ...text])].filter((name) => name in Parameters);
}
