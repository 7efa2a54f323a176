/** A sum of a content that has holes: of what is not zero, and where that is. */
import { createHash } from 'node:crypto';

/** The smallest block: pieces begin at multiples of it. */
const UNIT = 1_024;
const ZEROS = Buffer.alloc(UNIT);

export interface ContentSum {
  /** Pieces come in the order of their offsets. */
  add(offset: number, bytes: Buffer): void;
  end(): string;
}

/** SHA-256 of its stretches without a unit of zeros: of each the offset, the bytes, the length. From its end it can be taken apart in one way only. */
export function contentSum(): ContentSum {
  const hash = createHash('sha256');
  const stretch = { from: 0, to: 0 };
  const number = (value: number): Buffer => {
    const bytes = Buffer.alloc(8);
    bytes.writeDoubleLE(value);
    return bytes;
  };
  const close = (): void => {
    if (stretch.to > stretch.from) hash.update(number(stretch.to - stretch.from));
  };
  const take = (offset: number, bytes: Buffer): void => {
    if (bytes.length === 0) return;
    if (offset !== stretch.to || stretch.to === stretch.from) {
      close();
      hash.update(number(offset));
      stretch.from = offset;
    }
    hash.update(bytes);
    stretch.to = offset + bytes.length;
  };
  return {
    add(offset, bytes) {
      let from = 0;
      for (let at = 0; at < bytes.length; at += UNIT) {
        const unit = bytes.subarray(at, at + UNIT);
        if (!unit.equals(ZEROS.subarray(0, unit.length))) continue;
        take(offset + from, bytes.subarray(from, at));
        from = at + unit.length;
      }
      take(offset + from, bytes.subarray(from));
    },
    end() {
      close();
      return hash.digest('hex');
    },
  };
}
