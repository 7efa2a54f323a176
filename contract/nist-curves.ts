/** The curves of ECDSA keys (FIPS 186-4, D.1.2): whether a point is one of theirs. OpenSSH refuses a key whose point is not. Pure. */

/** y² = x³ − 3x + b, modulo a prime. */
interface Curve {
  /** Bytes of a coordinate. */
  readonly bytes: number;
  readonly prime: bigint;
  readonly b: bigint;
}

const CURVES: Readonly<Record<string, Curve>> = {
  nistp256: {
    bytes: 32,
    prime: 2n ** 256n - 2n ** 224n + 2n ** 192n + 2n ** 96n - 1n,
    b: 0x5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604bn,
  },
  nistp384: {
    bytes: 48,
    prime: 2n ** 384n - 2n ** 128n - 2n ** 96n + 2n ** 32n - 1n,
    b: 0xb3312fa7e23ee7e4988e056be3f82d19181d9c6efe8141120314088f5013875ac656398d8a2ed19d2a85c8edd3ec2aefn,
  },
  nistp521: {
    bytes: 66,
    prime: 2n ** 521n - 1n,
    b: 0x051953eb9618e1c9a1f929a21a0b68540eea2da725b99b315f3b8b489918ef109e156193951ec7e937b1652c0bd3bb1bf073573df883d2c34f1ef451fd46b503f00n,
  },
};

/** First byte of a point that is written with both coordinates (SEC 1, 2.3.3); OpenSSH takes no other. */
const UNCOMPRESSED = 4;

/** Whether these bytes are a point of the curve, with both coordinates. */
export function isPointOf(name: string, point: Buffer | undefined): boolean {
  const curve = CURVES[name];
  if (curve === undefined || point?.length !== 1 + 2 * curve.bytes || point[0] !== UNCOMPRESSED) return false;
  const { bytes, prime, b } = curve;
  const [x, y] = [point.subarray(1, 1 + bytes), point.subarray(1 + bytes)].map((half) => BigInt(`0x${half.toString('hex')}`));
  if (x === undefined || y === undefined || x >= prime || y >= prime) return false;
  return (x ** 3n - 3n * x + b - y ** 2n) % prime === 0n;
}
