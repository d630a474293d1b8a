/** What a program imports that wants to know the time: `import { EscapementClient } from 'escapement/client'`. */
export {
  EscapementClient,
  type SharedOptions,
  type WaitOptions,
} from './client/client.js';
export type { HttpOptions } from './client/teller.js';
export { TimeUnknownError } from './client/time-unknown.js';
export { type Bounds, happenedBefore } from './core/serving/ordering.js';
export type { BoundedTime } from './core/serving/record.js';
