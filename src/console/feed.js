// The one stream of what goes on, paused while nobody looks.
import { ask, changes, locked, signal, visits } from "./ui.js";

/**
 * @typedef {import("./types").Document<"StreamEvents">} Told
 * @typedef {import("./types").Document<"LetterHeading">} Letter
 */

/** @type {import("./types").Signal<Told["overview"] | null>} */
export const overview = signal(null);
/** Partitions by number.
 * @type {import("./types").Signal<Told["partitions"]>} */
export const partitions = signal([]);
/** Remediations, newest first.
 * @type {import("./types").Signal<Told["remediations"]>} */
export const remediations = signal([]);
/** Dead letters, oldest first, without their events; none before the first look.
 * @type {import("./types").Signal<Letter[] | null>} */
export const letters = signal(null);
/** Whether those are all. */
export const allLetters = signal(true);
/** Who has what, as this node sees it.
 * @type {import("./types").Signal<Told["nodes"] | null>} */
export const nodes = signal(null);
export const connected = signal(false);
/** When the last look came, Unix milliseconds; 0: none did. */
export const heard = signal(0);
/** Milliseconds without a look after which the listener is said not to answer: a process that stands still closes no stream. */
const SILENCE = 4000;

/** The last event that has a number: what comes behind it was missed while nobody looked. */
let last = "";

/** @type {EventSource | null} */
let source = null;

function open() {
  if (source) return;
  const stream = new EventSource("admin/stream" + (last && "?after=" + encodeURIComponent(last)));
  source = stream;
  /**
   * @template {keyof Told} N
   * @param {N} name
   * @param {(document: Told[N]) => void} take
   */
  const on = (name, take) => stream.addEventListener(name, (event) => { take(JSON.parse(event.data)); last = event.lastEventId || last; });
  on("overview", (document) => {
    const isBack = !connected.value;
    [overview.value, connected.value, heard.value] = [document, true, Date.now()];
    if (isBack) visits.value += 1;
  });
  on("partitions", (changed) => {
    const all = [...partitions.value];
    for (const one of changed) all[one.partition] = one;
    partitions.value = all;
  });
  on("nodes", (document) => { nodes.value = document; });
  on("snapshot", () => { [remediations.value, letters.value] = [[], null]; });
  on("dead_letters", ({ added, removed, all }) => {
    const byPosition = new Map((letters.value ?? []).map((one) => [one.position, one]));
    for (const position of removed) byPosition.delete(position);
    for (const one of added) byPosition.set(one.position, one);
    letters.value = [...byPosition.values()].sort((a, b) => a.position - b.position);
    allLetters.value = all;
  });
  on("remediations", (changed) => {
    const byId = new Map(remediations.value.map((one) => [one.id, one]));
    for (const one of changed) byId.set(one.id, one);
    remediations.value = [...byId.values()].sort((a, b) => (a.id < b.id ? 1 : -1)).slice(0, 500);
  });
  stream.onopen = () => ask("admin/session").then((may) => { changes.value = may.changes; }).catch(() => {});
  stream.onerror = () => {
    connected.value = false;
    // A stream does not say why it was refused; another question does. Open, it tries again by itself.
    if (source?.readyState === EventSource.CLOSED) ask("admin/overview").catch(() => {}).then(() => locked.value || setTimeout(again, 1000));
  };
}

/** Opens the stream anew: a key is there now, or the listener is. */
export function again() {
  close();
  connected.value = false;
  if (!document.hidden) open();
}

function close() {
  source?.close();
  source = null;
}

export function follow() {
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) return close();
    visits.value += 1;
    return open();
  });
  setInterval(() => { if (!document.hidden && Date.now() - heard.value > SILENCE) connected.value = false; }, 1000);
  if (!document.hidden) open();
}
