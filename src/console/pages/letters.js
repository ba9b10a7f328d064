// Events that were refused, by reason; published again or dropped from here.
import { again, changes, html, signal, ask, pause, pinnable } from "../ui.js";
import { allLetters, letters } from "../feed.js";

const shownLetters = pinnable(letters);
/** @typedef {import("../feed.js").Letter} Letter */

/** Events of letters by position: the feed has their reasons alone.
 * @type {import("../types").Signal<Record<number, string>>} */
const payloads = signal({});
const reason = signal("");
/** What came of what was done with letters.
 * @type {import("../types").Signal<Record<number, string>>} */
const outcome = signal({});
const trouble = signal("");
const typed = signal("");

/** Letters published again a second, where a whole reason is. */
const RATE = 10;
/** Letters of a reason shown, and events asked for at once. */
const SHOWN = 200;

let asking = false;

/** Fetches the events of letters from `position` on.
 * @param {number} position */
async function load(position) {
  if (asking || trouble.value) return;
  asking = true;
  try {
    const some = await ask(`admin/dead-letters?after=${position - 1}&limit=${SHOWN}`);
    payloads.value = { ...payloads.value, [position]: "(dropped meanwhile)", ...Object.fromEntries(some.map((one) => [one.position, one.payload])) };
  } catch (error) { again(trouble, error); } finally { asking = false; }
}

/**
 * @param {number} position
 * @param {string} text
 */
const say = (position, text) => { outcome.value = { ...outcome.value, [position]: text }; };

/** @param {Letter} letter */
async function redrive(letter) {
  try {
    const done = await ask(`admin/dead-letters/${letter.position}/redrive`, "POST");
    say(letter.position, done.already ? `had been published at ${done.position}` : `published again at ${done.position}`);
  } catch (error) { say(letter.position, error.message); }
}

/** @param {Letter[]} list */
async function redriveAll(list) {
  for (const letter of list) {
    await redrive(letter);
    await pause(1000 / RATE);
  }
}

/** @param {Letter} letter */
async function drop(letter) {
  try {
    await ask(`admin/dead-letters/${letter.position}`, "DELETE");
    typed.value = "";
    say(letter.position, "dropped");
  } catch (error) { say(letter.position, error.message); }
}

/** The payload, with the place marked at which reading it broke off, where the detail names one.
 * @param {{letter: Letter}} of */
function Payload({ letter }) {
  const payload = payloads.value[letter.position];
  if (payload === undefined) return html`<code>…</code>`;
  const column = Number(letter.detail.match(/column (\d+)/)?.[1] ?? 0);
  const at = column ? column - 1 : -1;
  if (at < 0 || at >= payload.length) return html`<code>${payload}</code>`;
  return html`<code>${payload.slice(0, at)}<mark>${payload.slice(at, at + 1)}</mark>${payload.slice(at + 1)}</code>`;
}

/** @param {{letter: Letter}} of */
function OneLetter({ letter }) {
  const confirmed = typed.value === String(letter.position);
  return html`<li><p><b>${letter.position}</b> <small>${letter.log_time}</small> ${letter.detail}</p><${Payload} letter=${letter} />
    ${changes.value && html`<p class="tools"><button onClick=${() => redrive(letter)}>Publish again</button>
      <label>type ${letter.position} to drop it <input class="short" inputmode="numeric" onInput=${(event) => { typed.value = event.target.value; }} /></label>
      <button class="danger" disabled=${!confirmed} onClick=${() => drop(letter)}>Drop</button> <output>${outcome.value[letter.position] ?? ""}</output></p>`}</li>`;
}

export function Letters() {
  const all = shownLetters.value ?? [];
  const reasons = new Map();
  for (const letter of all) reasons.set(letter.reason, (reasons.get(letter.reason) ?? 0) + 1);
  const shown = all.filter((letter) => letter.reason === reason.value);
  const unread = shown.slice(0, SHOWN).find((letter) => payloads.value[letter.position] === undefined);
  if (unread) load(unread.position);
  return html`
    <p class="tools">${shownLetters.box()} <span class="note">${trouble.value || `${all.length} ${all.length === 1 ? "letter" : "letters"}${allLetters.value ? "" : " (the oldest of them)"}`}</span></p>
    <ul class="reasons">${[...reasons].map(([name, count]) => html`
      <li key=${name}><button aria-pressed=${reason.value === name} onClick=${() => { reason.value = name; }}>${name} <b>${count}</b></button></li>`)}</ul>
    ${letters.value && !all.length && html`<p class="note">No event was refused.</p>`}
    ${shown.length > 0 && html`<section aria-labelledby="reason"><h2 id="reason">${reason.value}</h2>
      ${changes.value && shown.length > 1 && html`<p><button onClick=${() => redriveAll(shown)}>Publish all ${shown.length} again</button> <span class="note">${RATE} a second, each once, however often it is asked for: about ${Math.ceil(shown.length / RATE)} s. What is wrong with them still is refused again.</span></p>`}
      <ol class="letters">${shown.slice(0, SHOWN).map((letter) => html`<${OneLetter} key=${letter.position} letter=${letter} />`)}</ol></section>`}`;
}
