// What all pages share: templates, words for numbers, and how the listener is asked.
import { h, render } from "./vendor/preact.mjs";
import htm from "./vendor/htm.mjs";
import { signal, effect } from "./vendor/signals-core.mjs";

export const html = htm.bind(h);
export { signal, effect, render };

/** @param {number} n */
export const number = (n) => (n >= 1e6 ? (n / 1e6).toFixed(1) + " M" : Math.round(n).toLocaleString("en"));
/** @param {number} ms */
export const duration = (ms) => (ms < 1000 ? `${Math.round(ms)} ms` : ms < 120e3 ? `${(ms / 1000).toFixed(1)} s` : `${Math.round(ms / 60e3)} min`);
/** @param {number} share */
export const percent = (share) => (share >= 0.99995 ? "100" : (share * 100).toFixed(2)) + " %";
/** @param {number} n */
export const partition = (n) => "p" + String(n).padStart(2, "0");
/** @param {number} ms */
export const clock = (ms) => new Date(ms).toISOString().slice(11, 19);

/** Counts what makes pages ask anew: another one is shown, somebody looks again, the listener came back or took a key. */
export const visits = signal(0);
/** What is counted without a page being rendered for it: the one that is shown next is. */
let turns = 0;
/** A page is left for another one. */
export function left() {
  turns += 1;
}
/** Asks when its page is rendered, once for each visit.
 * @param {() => void} load */
export function eachVisit(load) {
  let last = "";
  return () => {
    const now = `${visits.value}/${turns}`;
    if (now === last) return;
    last = now;
    load();
  };
}

/** Whether the listener wants a key before it answers. */
export const locked = signal(false);
/** Whether the key may change anything; until the listener says so, it may not. */
export const changes = signal(false);

/** What an answer that is a problem is thrown as. */
class Problem extends Error {
  /**
   * @param {string} words
   * @param {number} status */
  constructor(words, status) {
    super(words);
    this.status = status;
  }
}

/** An id as a part of an address, which takes `.` and `..` for other places.
 * @param {string} id */
export function part(id) {
  if (["", ".", ".."].includes(id)) throw new Error(`"${id}" is no id`);
  return encodeURIComponent(id);
}

/**
 * Asks the listener that the page came from; an answer that is a problem is thrown with its words.
 * @template {string} const P
 * @template {string} [M="GET"]
 * @param {P & import("./types").Known<P>} path
 * @param {M} method
 * @param {any} body
 * @returns {Promise<import("./types").Answer<P, M>>}
 */
export async function ask(path, method = /** @type {M} */ ("GET"), body = undefined) {
  /** @type {Record<string, string>} */
  const headers = body === undefined ? {} : { "content-type": "application/json" };
  const asked = fetch(path, { method, headers, cache: "no-store", body: body === undefined ? undefined : JSON.stringify(body) });
  const reply = await asked.catch(() => { throw new Error("this node does not answer"); });
  const text = await reply.text();
  if (reply.status === 401) locked.value = true;
  if (!reply.ok) {
    let words = `${reply.status}`;
    try { words = JSON.parse(text).detail ?? words; } catch { /* no problem document: the status has to do */ }
    throw new Problem(words, reply.status);
  }
  return text && JSON.parse(text);
}

/** An event of a member, as of now; its id is new.
 * @param {import("./types").Document<"EventDocument">["type"]} type
 * @param {string} member
 * @param {string} title
 * @param {Partial<import("./types").Document<"EventDocument">>} more */
export function newEvent(type, member, title, more = {}) {
  const id = "console-" + Array.from(crypto.getRandomValues(new Uint8Array(9)), (byte) => byte.toString(16).padStart(2, "0")).join("");
  return { id, type, member, title, at: new Date().toISOString(), ...more };
}

/** The partition of a member: FNV-1a, as everywhere.
 * @param {string} member
 * @param {number} partitions */
export function partitionOf(member, partitions) {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(member)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  return hash % partitions;
}

/**
 * What a page shows of the feed: it follows what comes, or is pinned to how things stood then.
 * @template T
 * @param {import("./types").Signal<T>} live
 */
export function pinnable(live) {
  /** @type {import("./types").Signal<{ value: T, at: number } | null>} */
  const held = signal(null);
  /**
   * @param {string} text
   * @param {boolean} pressed
   * @param {() => void} choose
   */
  const choice = (text, pressed, choose) => html`<button type="button" aria-pressed=${pressed} onClick=${choose}>${text}</button>`;
  return {
    get value() { return held.value ? held.value.value : live.value; },
    box: () => html`<span class="choice" role="group" aria-label="Follow what comes, or pin what is shown">
      ${choice("Follow", held.value === null, () => { held.value = null; })}${choice("Pin", held.value !== null, () => { held.value = { value: live.value, at: Date.now() }; })}
      ${held.value && html`<span class="note">as of ${clock(held.value.at)} UTC</span>`}</span>`,
  };
}

/** How soon is asked again what was not answered. */
export const TRY_AGAIN_MS = 3000;

/**
 * Says what went wrong for as long as nothing is asked again.
 * @param {{ value: string }} trouble
 * @param {{ message: string }} error
 */
export function again(trouble, error) {
  trouble.value = error.message;
  setTimeout(() => { trouble.value = ""; }, TRY_AGAIN_MS);
}

/** @param {number} ms */
export const pause = (ms) => new Promise((done) => setTimeout(done, ms));

/** Shapes beside colours: states are told apart without seeing colours.
 * @type {Record<import("./types").Document<"PartitionState">, string>} */
export const STATES = {
  live: "●", holding: "◐", starting: "◔", restarting: "↻", stopped: "■", elsewhere: "○",
};

/** @param {{state: import("./types").Document<"PartitionState">}} of */
export const State = ({ state }) => html`<span class=${"state " + state}><span aria-hidden="true">${STATES[state] ?? "?"}</span> ${state}</span>`;
