// Times of the walk, out of the counters that Prometheus reads: what was measured since the look before.
import { signal } from "./ui.js";

/**
 * By part: rate a second, p50 and p99 in milliseconds.
 * @type {import("./types").Signal<Record<string, {rate: number, p50?: number | null, p99?: number | null}>>}
 */
export const measures = signal({});
/** Queries since the program started, and those answered live within 100 ms; none before the first look.
 * @type {import("./types").Signal<{all: number, good: number} | null>} */
export const answers = signal(null);

const PARTS = {
  fold: "nearline_fold_batch_duration_seconds",
  commit: "nearline_commit_duration_seconds",
  answer: "nearline_query_duration_seconds",
};
/**
 * @typedef {{count: number, buckets: Map<number, number>}} Part
 * @typedef {{at: number, good: number, all: number, published: number, parts: Record<string, Part>}} Look
 */
/** @type {Look | null} */
let before = null;

/** @param {string} text */
function read(text) {
  /** @type {Look} */
  const found = { at: performance.now(), good: 0, all: 0, published: 0, parts: {} };
  for (const part of Object.keys(PARTS)) found.parts[part] = { count: 0, buckets: new Map() };
  for (const line of text.split("\n")) {
    if (line.startsWith("#")) continue;
    const space = line.lastIndexOf(" ");
    const [name, labels = ""] = line.slice(0, space).split("{");
    const value = Number(line.slice(space + 1));
    if (name === "nearline_publish_events_total") found.published += value;
    for (const [part, metric] of Object.entries(PARTS)) {
      const into = found.parts[part];
      if (name === metric + "_count") into.count += value;
      if (name !== metric + "_bucket") continue;
      const bound = Number(labels.match(/le="([^"]+)"/)?.[1].replace("+Inf", "Infinity"));
      into.buckets.set(bound, (into.buckets.get(bound) ?? 0) + value);
      if (part === "answer" && bound === 0.1 && labels.includes('source="live"')) found.good += value;
    }
  }
  found.all = found.parts.answer.count;
  return found;
}

/** Whether the program was started anew since: counters do not fall otherwise.
 * @param {Look} now
 * @param {Look} then */
const isAnew = (now, then) => now.published < then.published || Object.keys(PARTS).some((part) => now.parts[part].count < then.parts[part].count);

/** The bound of the bucket in which a share of what was counted lies, in milliseconds.
 * @param {number} share
 * @param {Part} now
 * @param {Part} then */
function quantile(share, now, then) {
  const bounds = [...now.buckets.keys()].sort((a, b) => a - b);
  /** @param {number} bound */
  const counted = (bound) => (now.buckets.get(bound) ?? 0) - (then.buckets.get(bound) ?? 0);
  const all = counted(bounds[bounds.length - 1] ?? Infinity) || 0;
  if (!all) return null;
  return (bounds.find((bound) => counted(bound) >= share * all) ?? Infinity) * 1000;
}

export async function look() {
  const now = read(await (await fetch("metrics", { cache: "no-store" })).text());
  if (before && isAnew(now, before)) {
    [before, measures.value] = [null, {}];
  }
  if (before) {
    const seconds = (now.at - before.at) / 1000;
    /** @type {Record<string, {rate: number, p50?: number | null, p99?: number | null}>} */
    const parts = { publish: { rate: (now.published - before.published) / seconds } };
    for (const part of Object.keys(PARTS)) {
      const [a, b] = [now.parts[part], before.parts[part]];
      parts[part] = { rate: (a.count - b.count) / seconds, p50: quantile(0.5, a, b), p99: quantile(0.99, a, b) };
    }
    measures.value = parts;
  }
  answers.value = { all: now.all, good: now.good };
  before = now;
}
