import { describe, expect, it } from 'vitest';
import { withRootPassword } from '../../../../../../activities/dom0/guests/access/shadow.ts';

const SHADOW = Buffer.from('daemon:*:19000:0:99999:7:::\nroot:*:19001:0:99999:7:::\n');

describe('root in /etc/shadow', () => {
  it('has the very hash that was given, with dollar signs side by side, too; without a day, that of its line stays', () => {
    expect(withRootPassword(SHADOW, '$6$$x').toString()).toBe('daemon:*:19000:0:99999:7:::\nroot:$6$$x:19001:0:99999:7:::\n');
    expect(withRootPassword(SHADOW, '$6$$x', 20000).toString()).toContain('\nroot:$6$$x:20000:0:99999:7:::\n');
  });

  it('gets a line where there is none', () => {
    expect(withRootPassword(Buffer.from(''), '$6$a$b').toString()).toBe('root:$6$a$b::0:99999:7:::\n');
  });
});
