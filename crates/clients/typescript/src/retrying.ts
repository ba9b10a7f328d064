/** When to try again, and when no more. */

import { type Failure, Unavailable } from "./problems.js";

/** How long a call goes on. Waits double from `firstMs` to `mostMs`, each with jitter of up to a half; the engine's
 * `Retry-After` is the least that is waited. */
export interface Retry {
  /** Milliseconds from the call to its end; 30,000 if not given. */
  deadlineMs?: number;
  /** The first wait; 100 if not given. */
  firstMs?: number;
  /** The longest wait that is not the engine's wish; 5,000 if not given. */
  mostMs?: number;
}

/** The attempts of one call. */
export class Attempts {
  readonly #first: number;
  readonly #most: number;
  readonly #deadline: number;
  #until: number;
  readonly #signal: AbortSignal | undefined;
  #next: number;
  #count = 0;
  #answered: Failure | undefined;

  constructor(retry: Retry, signal?: AbortSignal) {
    const { deadlineMs = 30_000, firstMs = 100, mostMs = 5_000 } = retry;
    if (!(deadlineMs > 0 && firstMs > 0 && firstMs <= mostMs)) {
      throw new RangeError("wanted are deadlineMs > 0 and 0 < firstMs <= mostMs");
    }
    this.#first = this.#next = firstMs;
    this.#most = mostMs;
    this.#deadline = deadlineMs;
    this.#until = performance.now() + deadlineMs;
    this.#signal = signal;
  }

  /** Milliseconds until the deadline; not below 0. */
  left(): number {
    return Math.max(0, this.#until - performance.now());
  }

  /** Waits are short again. */
  progressed(): void {
    this.#next = this.#first;
  }

  /** The deadline counts from now: a connection ended that was open for so long. */
  beginAnew(lastedMs: number): void {
    this.#until = performance.now() + this.#deadline;
    this.#answered = undefined;
    if (lastedMs >= this.#most) this.progressed();
  }

  /** Waits before the next attempt. Throws `Unavailable` at once if the deadline ends before it may be made. An attempt that
   * the deadline cut off says nothing: the answer before it is told. */
  async wait(failure: Failure): Promise<void> {
    this.#count += 1;
    const left = this.left();
    if (failure.status !== undefined) this.#answered = failure;
    const told = left === 0 && this.#answered ? this.#answered : failure;
    const pause = milliseconds(failure.retryAfter) + this.#next * (0.5 + Math.random() / 2);
    if (pause >= left) throw new Unavailable(this.#count, told);
    this.#next = Math.min(this.#next * 2, this.#most);
    await sleep(pause, this.#signal);
  }
}

/** `Retry-After`, which may be a date; 0 where there is none or it cannot be read. */
function milliseconds(retryAfter: string | null | undefined): number {
  if (!retryAfter) return 0;
  if (/^\s*\d+\s*$/.test(retryAfter)) return Number(retryAfter) * 1000;
  const wait = Date.parse(retryAfter) - Date.now();
  return wait > 0 ? wait : 0;
}

function sleep(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const stop = (): void => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, ms);
    signal?.addEventListener("abort", stop, { once: true });
  });
}
