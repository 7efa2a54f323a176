/**
 * The used blocks of an ext file system, in their places, with zeros between them.
 *
 * `dumpe2fs` prints the block bitmap; a small program copies by it, a mebibyte at a time. `e2image -ra` prints nearly the same, but walks through the
 * tenant's inodes and extents, writes each block by a call of its own, and exits with 0 if it could not read one. The program is Perl, which is on every
 * Debian (`perl-base` is essential): it is there in milliseconds and takes 6 MiB, where a Node of its own would take 50.
 */
import { lineReader } from '../../../system/lines.ts';
import type { PipelineStage } from '../../../system/run.ts';
import { checkedPath } from './arguments.ts';
import type { FsInfo } from './ext4.ts';

/** Constant: what differs comes as arguments. Whatever in dumpe2fs's words it does not expect ends it: a bitmap that is not whole is none. */
const PROGRAM = String.raw`
use strict;
use warnings;
my ($device, $blocks, $size, $free, $rate) = @ARGV;
my $most = 1 << 20;
my ($due, $ticks) = (0, 1);
if ($rate) {
  require POSIX;
  $ticks = POSIX::sysconf(&POSIX::_SC_CLK_TCK);
}
# Rests until the next piece is due. Time that was lost is not made up for, so that no burst follows on it.
sub pace {
  my ($length) = @_;
  my $now = (POSIX::times())[0] / $ticks;
  $due = $now if $due < $now - 0.1;
  select undef, undef, undef, $due - $now if $due > $now;
  $due += $length / $rate;
}
my $zeros = "\0" x $most;
my ($at, $read, $found, $said, $cluster) = (0, 0, 0, 0, 1);
open my $disk, '<:raw', $device or die "cannot open $device: $!\n";
sub put {
  my $length = length $_[0];
  for (my $sent = 0; $sent < $length;) {
    $sent += syswrite(STDOUT, $_[0], $length - $sent, $sent) // die "cannot write: $!\n";
  }
}
sub copy_until {
  my ($end) = @_;
  my $left = ($end - $at) * $size;
  sysseek $disk, $at * $size, 0 or die "cannot seek in $device: $!\n";
  while ($left > 0) {
    my $got = sysread($disk, my $piece, $left < $most ? $left : $most)
      // die "cannot read $device between block $at and block $end: $!\n";
    $got > 0 or die "$device ends before its file system does\n";
    pace($got) if $rate;
    put($piece);
    $left -= $got;
    $read += $got;
    next if time == $said;
    $said = time;
    print STDERR "read $read\n";
  }
  $at = $end;
}
sub skip_until {
  my ($end) = @_;
  for (my $left = ($end - $at) * $size; $left > 0; $left -= $most) {
    put($left < $most ? substr $zeros, 0, $left : $zeros);
  }
  $found += $end - $at;
  $at = $end;
}
my ($next, $first, $last);
while (my $line = <STDIN>) {
  chomp $line;
  if ($line =~ /^Cluster size: +(\d+)$/ and not defined $next) {
    $cluster = $1 / $size;
  } elsif ($line =~ /^Group \d+: \(Blocks (\d+)-(\d+)\)/) {
    die "the bitmap of a group is missing\n" if defined $first;
    ($first, $last) = ($1, $2);
    $next //= $first;
    die "the groups are not in order\n" if $first != $next or $last < $first or $last >= $blocks;
    $next = $last + 1;
  } elsif (defined $first and $line =~ s/^  Free blocks: //) {
    for my $range (split /, /, $line) {
      $range =~ /^(\d+)(?:-(\d+))?$/ or die "the bitmap has a range that is none\n";
      # Of a cluster dumpe2fs names the first block only.
      my ($from, $end) = ($1, ($2 // $1) + $cluster);
      $end = $last + 1 if $end > $last + 1;
      die "the free blocks are not in order\n" if $from < $first or $from < $at or $end <= $from;
      copy_until($from);
      skip_until($end);
    }
    undef $first;
  }
}
die "the bitmap is not whole\n" if defined $first or ($next // 0) != $blocks;
die "the bitmap has $found free blocks, and the file system says $free\n" if $found != $free;
copy_until($blocks);
print STDERR "read $read\n";
`;

/** Bytes of the content that {@link usedBlocks} prints: the size of the file system. */
export function fsBytes({ blocks, blockSize }: FsInfo): number {
  return blocks * blockSize;
}

/** How many characters of a complaint are kept, and how many complaints. */
const LONGEST_LINE = 1024;
const COMPLAINTS = 5;

/** The stages that print a file system, and what was complained of. */
export interface UsedBlocks {
  readonly stages: readonly PipelineStage[];
  /** In words; empty when all went well. dumpe2fs and the program exit with an error then, too. */
  complaints(): readonly string[];
}

/**
 * The stages that print the used blocks of a file system, and zeros for the others.
 *
 * @param device that nobody writes to. Its file system must have been checked: its bitmap decides what is saved
 * @param onRead told the bytes read so far, every second
 * @param rate how many bytes of the device are read a second at most. Default: as fast as it goes
 */
export function usedBlocks(device: string, fs: FsInfo, onRead: (bytes: number) => void, rate = 0): UsedBlocks {
  const complaints: string[] = [];
  const look = (line: string): void => {
    const read = /^read (\d+)$/.exec(line)?.[1];
    if (read !== undefined) onRead(Number(read));
    else if (line.trim() !== '' && !/^dumpe2fs \d/.test(line) && complaints.length < COMPLAINTS) complaints.push(line.trim());
  };
  const readers = [0, 1].map(() => lineReader(look, { ends: /\n/, longest: LONGEST_LINE }));
  const [ofBitmap, ofCopy] = readers.map((reader) => (text: string) => reader.push(text));
  const path = checkedPath('device', device);
  const numbers = [fs.blocks, fs.blockSize, fs.freeBlocks, ...(rate === 0 ? [] : [rate])].map(String);
  return {
    stages: [
      { tool: 'dumpe2fs', args: [path], ...(ofBitmap && { onStderr: ofBitmap }) },
      { tool: 'perl', args: ['-e', PROGRAM, '--', path, ...numbers], ...(ofCopy && { onStderr: ofCopy }) },
    ],
    complaints() {
      for (const reader of readers) reader.end();
      return complaints;
    },
  };
}
