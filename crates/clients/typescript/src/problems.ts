/** What goes wrong, as errors. None of them holds a key. */

import type { components } from "./generated.js";

/** An RFC 9457 document; `type` is stable. */
export type Problem = components["schemas"]["Problem"];

/** What may pass by itself: the same request is good later. 502 and 504 come from what stands between. */
const PASSING = new Set([408, 429, 502, 503, 504]);

/** Anything that this client throws of the engine's answers. */
export class NearlineError extends Error {
  override name = "NearlineError";
}

/** The engine does not take the request: sending it again does not help. */
export class Refused extends NearlineError {
  override name = "Refused";
  /** The problem's stable code, such as `key-missing`; undefined where something in between answered. */
  readonly code: string | undefined;

  constructor(
    readonly status: number,
    readonly problem: Problem | undefined,
  ) {
    super(told(status, problem));
    this.code = problem && code(problem);
  }
}

/** The deadline ended, and the last attempt had failed with what may pass by itself. */
export class Unavailable extends NearlineError {
  override name = "Unavailable";
  /** The status of the last answer; undefined where there was none. */
  readonly status: number | undefined;
  /** The problem of the last answer, if it had one. */
  readonly problem: Problem | undefined;

  constructor(
    readonly attempts: number,
    failure: Failure,
  ) {
    super(`gave up after ${attempts} attempts; the last one: ${failure.detail}`);
    this.status = failure.status;
    this.problem = failure.problem;
  }
}

/** Why one attempt failed, and when the engine wants the next. */
export interface Failure {
  detail: string;
  status?: number;
  problem?: Problem | undefined;
  retryAfter?: string | null;
}

/** An answer as a failure that may pass by itself; throws `Refused` for any other that is no success. */
export async function failureOf(answer: Response): Promise<Failure> {
  const problem = await problemOf(answer);
  if (!PASSING.has(answer.status)) throw new Refused(answer.status, problem);
  const retryAfter = answer.headers.get("retry-after");
  return { detail: told(answer.status, problem), status: answer.status, problem, retryAfter };
}

/** An attempt that ended without an answer. */
export function unanswered(error: unknown): Failure {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  return { detail: `no answer (${cause instanceof Error ? cause.message || cause.name : "unknown"})` };
}

async function problemOf(answer: Response): Promise<Problem | undefined> {
  try {
    const problem: unknown = await answer.json();
    return isProblem(problem) ? problem : undefined;
  } catch {
    return undefined;
  }
}

function isProblem(value: unknown): value is Problem {
  return typeof value === "object" && value !== null && "type" in value && typeof value.type === "string" && "detail" in value;
}

function code(problem: Problem): string {
  return problem.type.slice(problem.type.lastIndexOf("/") + 1);
}

function told(status: number, problem: Problem | undefined): string {
  return problem ? `${status} ${code(problem)}: ${problem.detail}` : `${status} without a problem document`;
}
