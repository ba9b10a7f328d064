/** A client of Nearline: publish with retry under the same ids, read your own writes, follow a member's row. */

export { type HomeQuery, type LiveQuery, Nearline, type Options, type Query, type TitlesQuery } from "./client.js";
export type { components, operations, paths } from "./generated.js";
export { NearlineError, type Problem, Refused, Unavailable } from "./problems.js";
export { type Event, type Outcome, Published, Unpublished } from "./publishing.js";
export type { Retry } from "./retrying.js";
