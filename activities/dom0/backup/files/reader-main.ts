/** The reader as a program of its own, for a checkout. On a dom0 the program `guestflow-dom0` is it. */
import { runReader } from './reader.ts';

const [, , , image = '', request = ''] = process.argv;
runReader(image, request);
