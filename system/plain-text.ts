/** What guests and tools print, as text that is safe to show. */

/** Text without terminal sequences and control characters but the end of a line, so that a guest cannot steer the reader's terminal. */
export function plainText(text: string): string {
  return text
    .replace(/\u001b(?:\[[0-?]*[ -/]*[@-~]|\][^\u0007\u001b]*(?:\u0007|\u001b\\)?|[@-Z\\^_])/g, '')
    .replace(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/g, '');
}
