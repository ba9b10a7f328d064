// The one stream of what goes on, paused while nobody looks.
import { ask, locked, signal } from "./ui.js";

export const overview = signal(null);
/** Partitions by number. */
export const partitions = signal([]);
/** Remediations, newest first. */
export const remediations = signal([]);
export const connected = signal(false);

/** @type {EventSource | null} */
let source = null;

function open() {
  if (source) return;
  const stream = new EventSource("admin/stream");
  source = stream;
  const on = (name, take) => stream.addEventListener(name, (event) => take(JSON.parse(event.data)));
  on("overview", (document) => { overview.value = document; connected.value = true; });
  on("partitions", (changed) => {
    const all = [...partitions.value];
    for (const one of changed) all[one.partition] = one;
    partitions.value = all;
  });
  on("remediations", (changed) => {
    const byId = new Map(remediations.value.map((one) => [one.id, one]));
    for (const one of changed) byId.set(one.id, one);
    remediations.value = [...byId.values()].sort((a, b) => (a.id < b.id ? 1 : -1)).slice(0, 500);
  });
  stream.onerror = () => {
    connected.value = false;
    // A stream does not say why it was refused; another question does. Open, it tries again by itself.
    if (source?.readyState === EventSource.CLOSED) ask("admin/overview").catch(() => {}).then(() => locked.value || setTimeout(again, 1000));
  };
}

/** Opens the stream anew: a key is there now, or the listener is. */
export function again() {
  close();
  if (!document.hidden) open();
}

function close() {
  source?.close();
  source = null;
}

export function follow() {
  document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
  if (!document.hidden) open();
}
