/** A refusal as AWS words it: a code that programs go by, and a text. */
export class AwsRefusal extends Error {
  readonly status: number;
  readonly code: string;

  constructor(status: number, code: string, message: string) {
    super(message);
    this.name = 'AwsRefusal';
    this.status = status;
    this.code = code;
  }
}
