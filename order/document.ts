/** Reads a document that a person wrote, JSON or YAML, as plain data: no tags, no aliases, no duplicate keys, bounded. */
import { isAlias, isCollection, isNode, isScalar, LineCounter, parseAllDocuments, visit, type Document } from 'yaml';
import { GuestflowError } from '../contract/errors.ts';

/** Longest document, in bytes. */
export const LONGEST_DOCUMENT = 256 * 1024;
/** How deep lists and objects may be in each other; those that are asked for have three levels. */
const DEEPEST = 32;

/**
 * The data of a JSON or YAML document. JSON is a part of YAML, so one reader reads both.
 *
 * @param what the document is called in errors: the name of its file, or "standard input"
 * @throws GuestflowError InvalidInput, with line and column
 */
export function parseDocument(bytes: Uint8Array, what: string): unknown {
  if (bytes.length > LONGEST_DOCUMENT) throw refuse(`${what} is longer than ${LONGEST_DOCUMENT / 1024} KiB`);
  const text = decode(bytes, what);
  const lines = new LineCounter();
  const at = (offset: number): string => {
    const { line, col } = lines.linePos(offset);
    return `${what}, line ${line}, column ${col}`;
  };
  const document = onlyDocument(text, what, { lines, at });
  visit(document, {
    Node(_key, node, path) {
      const offset = node.range?.[0] ?? 0;
      if (path.filter(isCollection).length > DEEPEST) throw tooDeep(at(offset));
      if (isAlias(node) || node.anchor !== undefined)
        throw refuse(`${at(offset)}: anchors and aliases (& and *) are not taken; write the value itself`);
      if (node.tag !== undefined && !isPlainTag(node.tag)) throw refuse(`${at(offset)}: tags (${node.tag}) are not taken`);
    },
    Pair(_key, pair) {
      if (!isScalar(pair.key) || typeof pair.key.value !== 'string') {
        throw refuse(`${at(isNode(pair.key) ? (pair.key.range?.[0] ?? 0) : 0)}: keys must be plain words`);
      }
    },
  });
  const value: unknown = document.toJS();
  if (value === null) throw refuse(`${what} is empty`);
  return value;
}

function onlyDocument(text: string, what: string, { lines, at }: { lines: LineCounter; at: (offset: number) => string }): Document {
  const documents = parseAllDocuments(text, {
    lineCounter: lines,
    uniqueKeys: true,
    version: '1.2',
    schema: 'core',
    merge: false,
    prettyErrors: false,
  });
  if (!Array.isArray(documents) || documents.length === 0) throw refuse(`${what} is empty`);
  const [document, second] = documents;
  const error = document?.errors[0] ?? document?.warnings[0];
  // The reader calls itself for each level, and says so when it can no more.
  if (error?.code === 'RESOURCE_EXHAUSTION') throw tooDeep(at(error.pos[0]));
  if (document === undefined || error !== undefined)
    throw refuse(`${at(error?.pos[0] ?? 0)}: ${oneLine(error?.message ?? 'cannot be read')}`);
  if (second !== undefined) throw refuse(`${at(second.range[0])}: a second document begins; give one at a time`);
  return document;
}

function tooDeep(where: string): GuestflowError {
  return refuse(`${where}: lists and objects are nested deeper than ${DEEPEST} levels`);
}

/** Tags that the reader itself gives to plain data. */
function isPlainTag(tag: string): boolean {
  return /^tag:yaml\.org,2002:(str|int|float|bool|null|map|seq)$/.test(tag);
}

function decode(bytes: Uint8Array, what: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw refuse(`${what} is no text in UTF-8`);
  }
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, ' ').trim();
}

function refuse(message: string): GuestflowError {
  return new GuestflowError('InvalidInput', message);
}
