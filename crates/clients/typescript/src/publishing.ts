/** What became of events. */

import type { components } from "./generated.js";
import { NearlineError } from "./problems.js";

/** An event as publishers send it; further fields are kept in the log and ignored. */
export type Event = components["schemas"]["EventDocument"];
type EventResult = components["schemas"]["EventResult"];

/** What one request takes; the engine's own defaults are 10,000 events and 8 MiB. */
const BATCH_EVENTS = 1_000;
const BATCH_BYTES = 1 << 20;

/**
 * What became of one event.
 *
 * `accepted`, `duplicate`: it is in the log at `position`. `conflict`: its member has another event of this id; give it an
 * id of its own. `rejected`: mend it; `reason` and `detail` say what is wrong. `unavailable`: publish it again with the same id.
 */
export interface Outcome {
  id: string;
  member: string;
  status: components["schemas"]["EventStatus"];
  position?: number;
  reason?: string;
  detail?: string;
}

/** What became of each event, in the order given. */
export class Published {
  constructor(readonly outcomes: readonly Outcome[]) {}

  /** The outcomes of one status. */
  of(status: Outcome["status"]): Outcome[] {
    return this.outcomes.filter((outcome) => outcome.status === status);
  }

  /** The position to give as `after` when this member is asked for; undefined if nothing of the member is in the log. */
  position(member: string): number | undefined {
    let newest: number | undefined;
    for (const { member: whose, status, position } of this.outcomes) {
      if (whose !== member || position === undefined || (status !== "accepted" && status !== "duplicate")) continue;
      newest = Math.max(newest ?? 0, position);
    }
    return newest;
  }
}

/** Not all events are known to be in the log. `published` says of each what is known; `cause` says why. */
export class Unpublished extends NearlineError {
  override name = "Unpublished";

  constructor(
    readonly published: Published,
    override readonly cause: unknown,
  ) {
    const missing = published.of("unavailable").length;
    super(`${missing} of ${published.outcomes.length} events are not acknowledged: ${cause instanceof Error ? cause.message : String(cause)}`);
  }
}

/** An event on its way: as text, made once, so that each attempt sends the same bytes. */
export interface Entry {
  place: number;
  event: Event;
  text: string;
}

/** Events as entries. Throws a `TypeError` for a number that JSON does not have: it would be sent as `null`. */
export function entriesOf(events: Iterable<Event>): Entry[] {
  return Array.from(events, (event, place) => {
    const text = JSON.stringify(event, (name, value: unknown) => {
      if (typeof value === "number" && !Number.isFinite(value)) throw new TypeError(`${name} of event ${place} is ${value}`);
      return value;
    });
    return { place, event, text };
  });
}

/** What is known of an entry. */
export function outcomeOf({ event }: Entry, result: EventResult): Outcome {
  const { status, position, reason, detail } = result;
  return {
    id: event.id,
    member: event.member,
    status,
    ...(position != null && { position }),
    ...(reason != null && { reason }),
    ...(detail != null && { detail }),
  };
}

/** Entries in the order given, in batches of what one request takes. */
export function* batchesOf(entries: Entry[]): Generator<Entry[]> {
  let batch: Entry[] = [];
  let size = 0;
  for (const entry of entries) {
    const bytes = new TextEncoder().encode(entry.text).length;
    if (batch.length > 0 && (batch.length === BATCH_EVENTS || size + bytes > BATCH_BYTES)) {
      yield batch;
      batch = [];
      size = 0;
    }
    batch.push(entry);
    size += bytes + 1;
  }
  if (batch.length > 0) yield batch;
}
