import { describe, expect, it } from 'vitest';
import { plainly, printable, printableConsole } from '../../../contract/printable.ts';

describe('text of somebody else', () => {
  it('cannot steer a terminal, and keeps its lines, tabs and letters', () => {
    expect(printable('a\tb\nü €\u001b[2J\u009b2J\r\u202ex\u2028')).toBe('a\tb\nü €\\u001b[2J\\u009b2J\\u000d\\u202ex\\u2028');
  });

  it('of a console is without colours and carriage returns', () => {
    expect(printableConsole('[\u001b[0;32m  OK  \u001b[0m] Started\r\n\u001b]0;title\u0007login:')).toBe(
      '[  OK  ] Started\n\\u001b]0;title\\u0007login:',
    );
  });

  it('is shown so that letters that look like others are told apart', () => {
    expect(plainly('g\u0435\uff11\u00a0é…')).toBe('g\\u0435\\uff11\\u00a0é…');
    expect(plainly('\u{1f511}')).toBe('\\ud83d\\udd11');
  });
});
