// A member's home page as the member sees it: play something, and watch the rows move.
import { TRY_AGAIN_MS, changes, eachVisit, html, signal, ask, clock, duration, locked, newEvent, part } from "../ui.js";
import { Poster } from "../poster.js";

const member = signal("m0");
/** @type {import("../types").Signal<import("../types").Document<"HomeAnswer"> | null>} */
const page = signal(null);
/** @type {import("../types").Signal<import("../types").Document<"WatchedDocument">[]>} */
const history = signal([]);
/** What was done here: when, what, and milliseconds until it was in the log, and until the rows were there anew.
 * @type {import("../types").Signal<{at: number, words: string, acknowledged?: number, shown?: number}[]>} */
const acts = signal([]);
const note = signal("");
/** Row and title whose reasons are shown. */
const why = signal("");
/** Places of titles before the last change: row and position. */
let places = new Map();
let before = new Map();
/** @type {EventSource | null} */
let live = null;
/** Titles at the head of the row whose changes are told: as many as a page begins its rows with, and more. */
const FOLLOWED = 40;

/**
 * @typedef {import("../types").Document<"RowDocument">} Row
 * @typedef {import("../types").Document<"RankedTitle">} Title
 * @typedef {import("../types").Document<"ReasonDocument">} Reason
 */

/** @param {string} text */
const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1).replaceAll("_", " ");
/** @param {Row} row */
const rowName = (row) => capital(row.row) + (row.because ? ` ${row.because.name ?? row.because.title}` : row.genre ? ` ${row.genre}` : "");
/** @param {import("../types").Document<"HomeAnswer">} document */
const placed = (document) => new Map(document.rows.flatMap((row) => row.titles.map((title, at) => [title.title, `${row.row}/${at}`])));

/** @param {number} [after] */
async function show(after) {
  const asked = member.value;
  const started = performance.now();
  try {
    const at = after === undefined ? "" : `&after=${after}`;
    const document = await ask(`v1/members/${part(asked)}/home?limit=8&explain=true${at}`);
    if (asked !== member.value) return undefined;
    [before, places] = [places, placed(document)];
    [page.value, note.value] = [document, ""];
    const state = await ask(`v1/members/${part(asked)}`);
    history.value = state.history.slice(-12).reverse();
  } catch (error) { note.value = error.message; }
  return performance.now() - started;
}

/** @param {string} id */
function choose(id) {
  member.value = id;
  [places, before] = [new Map(), new Map()];
  visit();
}

/** Shows the member anew, and follows its row from now on. */
function visit() {
  live?.close();
  show();
  const followed = new EventSource(`v1/members/${encodeURIComponent(member.value)}/recommendations/live?limit=${FOLLOWED}`);
  // The row changed, by whatever: a play from elsewhere, what trends, the catalogue. Another visit asks by itself.
  followed.addEventListener("recommendations", () => { if (location.hash.startsWith("#/member") && !document.hidden) show(); });
  // One that is refused is over; one that breaks is opened again by itself.
  followed.onerror = () => {
    if (followed.readyState === EventSource.CLOSED) setTimeout(() => { if (live === followed && location.hash.startsWith("#/member") && !document.hidden && !locked.value) visit(); }, TRY_AGAIN_MS);
  };
  live = followed;
}

/**
 * @param {import("../types").Document<"EventDocument">["type"]} type
 * @param {string} title
 * @param {Partial<import("../types").Document<"EventDocument">>} more
 * @param {string} words
 */
async function act(type, title, more, words) {
  const started = performance.now();
  try {
    const [result] = (await ask("v1/events", "POST", [newEvent(type, member.value, title, more)])).results;
    if (result.status !== "accepted") throw new Error(result.detail ?? result.status);
    const acknowledged = performance.now() - started;
    const shown = await show(result.position ?? undefined);
    acts.value = [{ at: Date.now(), words, acknowledged, shown }, ...acts.value].slice(0, 12);
  } catch (error) { note.value = error.message; }
}

async function erase() {
  try {
    const { position } = await ask(`v1/members/${encodeURIComponent(member.value)}`, "DELETE");
    const state = await ask(`v1/members/${encodeURIComponent(member.value)}?after=${position}`);
    const kept = state.history.length + state.seen.length + state.list.length + state.opinions.length + state.open_impressions.length;
    acts.value = [{ at: Date.now(), words: `erased at position ${position}: ${kept} things of the member are kept` }, ...acts.value];
    await show(position);
  } catch (error) { note.value = error.message; }
}

/** @param {{weight?: number | null}} r */
const share = (r) => (r.weight == null ? "" : ` (${r.weight.toFixed(4)})`);
/** @type {{[K in Reason["kind"]]: (r: Extract<Reason, {kind: K}>) => string}} */
const REASONS = {
  because_you_watched: (r) => `because of ${r.title}${share(r)}`,
  popular: (r) => `popular: ${r.dimension}${share(r)}`,
  trending: (r) => `trending: ${r.dimension}${share(r)}`,
  often_first: (r) => `often the first to be watched${share(r)}`,
  newcomer: (r) => `hardly known yet${share(r)}`,
  new: (r) => `new${r.year ? `, of ${r.year}` : ""}`,
  continue_watching: (r) => `watched up to ${duration(1000 * r.watched_s)}`,
  explored: () => "new: shown here to find out who likes it",
  because_you_like: (r) => `${Math.round(100 * r.share)} % of what was watched is ${r.genre}`,
  on_my_list: () => "on the list",
};
/** One that the program knows and this page does not is told by its name.
 * @param {Reason} r */
const reason = (r) => /** @type {Record<string, (r: any) => string>} */ (REASONS)[r.kind]?.(r) ?? r.kind;

/** @param {{title: Title, row: Row, at: number}} of */
function Tile({ title, row, at }) {
  const name = title.name ?? title.title;
  const place = `${row.row}/${at}`;
  const moved = before.size && before.get(title.title) !== place;
  const key = `${row.row}/${title.title}`;
  const more = { row: row.row, position: at, request: page.value?.recommendation_id, ...(title.artwork ? { artwork: title.artwork.id } : {}) };
  return html`<li class=${moved ? "tile moved" : "tile"}>
    <button class="play" disabled=${!changes.value} onClick=${() => act("play", title.title, more, `played ${name}`)}>
      <${Poster} title=${title.title} name=${name} artwork=${title.artwork?.id} /><span class="name"><span class="unseen">Play </span>${name}</span></button>
    <button class="why" aria-label=${`why ${name}`} aria-expanded=${why.value === key} onClick=${() => { why.value = why.value === key ? "" : key; }}>why</button>
    ${why.value === key && html`<p class="note">${(title.reasons ?? []).map(reason).join(", ") || "it scores highest"}${title.artwork ? `; artwork ${title.artwork.id}, shown to ${Math.round(title.artwork.propensity * 100)} of 100 like this member` : ""}</p>`}
  </li>`;
}

const asks = eachVisit(visit);

export function Member() {
  asks();
  const home = page.value;
  return html`
    <form class="tools" onSubmit=${(event) => { event.preventDefault(); choose(event.target.elements.member.value.trim()); }}>
      <label>Member <input name="member" defaultValue=${member.value} pattern="[A-Za-z0-9_\\-]{1,64}" required autocomplete="off" /></label>
      <button>Show</button> ${changes.value && html`<button type="button" class="danger" onClick=${erase}>Erase with proof</button>`}
      <output>${note.value || (home ? `${home.source}, position ${home.position}` : "")}</output></form>
    <div class="beside">
      <div>${home?.rows.map((row) => html`<section key=${row.row + (row.because?.title ?? "")} aria-label=${rowName(row)}><h2>${rowName(row)}</h2>
        <ul class="row">${row.titles.map((title, at) => html`<${Tile} key=${title.title} title=${title} row=${row} at=${at} />`)}</ul></section>`)}</div>
      <aside aria-label="What happened"><h2>Done here</h2>
        <ol class="acts">${acts.value.map((one) => html`<li key=${one.at}><small>${clock(one.at)}</small> ${one.words}${one.shown === undefined || one.acknowledged === undefined ? "" : html`<br /><small>acknowledged in ${duration(one.acknowledged)}, rows anew ${duration(one.shown)} later</small>`}</li>`)}</ol>
        ${!acts.value.length && changes.value && home?.rows.length && html`<p class="note">Play something: press a poster.</p>`}
        <h2>Watched</h2><ol class="acts">${history.value.map((one, i) => html`<li key=${i}>${one.title} <small>${one.at.slice(11, 19)}</small></li>`)}</ol></aside>
    </div>`;
}
