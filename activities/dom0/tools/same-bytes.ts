/**
 * Compares what comes on standard input with a device, a mebibyte at a time.
 *
 * `cmp` asks for 4 KiB a call where one side is a pipe: in a dom0 under emulation that took 50 s for 229 MiB, of which this takes the time to unpack them.
 * The program is Perl, as that of `used-blocks.ts`.
 */
import { lineReader } from '../../../system/lines.ts';
import type { PipelineStage } from '../../../system/run.ts';
import { checkedPath } from './arguments.ts';

/** Constant: what differs comes as arguments. Exits with 1 if the two differ, with 2 if one cannot be read. */
const PROGRAM = String.raw`
use strict;
use warnings;
my ($device, $bytes) = @ARGV;
my ($most, $at, $said) = (1 << 20, 0, 0);
sub fail {
  print STDERR "$_[1]\n";
  exit $_[0];
}
open my $disk, '<:raw', $device or fail(2, "cannot open $device: $!");
sub piece_of {
  my ($from, $name, $length) = @_;
  my $piece = '';
  while (length $piece < $length) {
    my $got = sysread($from, $piece, $length - length $piece, length $piece) // fail(2, "cannot read $name at byte $at: $!");
    last if $got == 0;
  }
  return $piece;
}
while ($at < $bytes) {
  my $length = $bytes - $at < $most ? $bytes - $at : $most;
  my $wanted = piece_of(\*STDIN, 'what was saved', $length);
  my $found = piece_of($disk, $device, $length);
  if ($wanted ne $found) {
    my $shorter = length $wanted < length $found ? length $wanted : length $found;
    my $first = (substr($wanted, 0, $shorter) ^ substr($found, 0, $shorter)) =~ /[^\0]/ ? $-[0] : $shorter;
    my $ends = $first < $shorter ? '' : length $wanted == $shorter ? ', where what was saved ends' : ', where the device ends';
    fail(1, 'they differ from byte ' . ($at + $first) . " on$ends");
  }
  fail(1, 'both end at byte ' . ($at + length $wanted)) if length $wanted < $length;
  $at += $length;
  next if time == $said;
  $said = time;
  print STDERR "compared $at\n";
}
`;

/** The exit code that says that the two differ. */
export const DIFFER = 1;

/**
 * The stage that compares.
 *
 * @param bytes how many; what comes after them is not read
 * @param onCompared told the bytes so far, every second
 */
export function sameBytes(device: string, bytes: number, onCompared: (bytes: number) => void): PipelineStage {
  const said = lineReader(
    (line) => {
      const compared = /^compared (\d+)$/.exec(line)?.[1];
      if (compared !== undefined) onCompared(Number(compared));
    },
    { ends: /\n/, longest: 1024 },
  );
  return {
    tool: 'perl',
    args: ['-e', PROGRAM, '--', checkedPath('device', device), String(bytes)],
    onStderr: (text) => said.push(text),
  };
}
