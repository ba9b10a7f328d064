// How a title does: its take rate by place, country and device with intervals, over time, and what is like it.
import { eachVisit, html, signal, ask, number, part, percent } from "../ui.js";
import { overview } from "../feed.js";

const wanted = signal("");
/** @type {import("../types").Signal<{insights: import("../types").Document<"InsightsAnswer">, similar: import("../types").Document<"SimilarAnswer">["titles"]} | null>} */
const shown = signal(null);
const trouble = signal("");

/** Wilson's interval of a share, 95 %.
 * @param {number} hits
 * @param {number} of */
function wilson(hits, of) {
  const z = 1.96, p = hits / of, d = 1 + (z * z) / of;
  const middle = (p + (z * z) / (2 * of)) / d, half = (z / d) * Math.sqrt((p * (1 - p)) / of + (z * z) / (4 * of * of));
  return [Math.max(0, middle - half), Math.min(1, middle + half)];
}

/** @param {string} id */
async function show(id) {
  wanted.value = id;
  try {
    const title = part(id);
    const [insights, similar] = await Promise.all([ask(`v1/titles/${title}/insights`), ask(`v1/titles/${title}/similar?limit=8`)]);
    [shown.value, trouble.value] = [{ insights, similar: similar.titles }, ""];
  } catch (error) { [shown.value, trouble.value] = [null, error.message]; }
}

/** @param {{dimension: string, totals: import("../types").Document<"DimensionDocument">["totals"], most: number}} of */
function Take({ dimension, totals, most }) {
  const rate = totals.take_rate;
  if (!totals.impressions || rate == null) return html`<tr><th scope="row">${dimension}</th><td>0</td><td>${number(totals.plays)}</td><td colspan="2">not shown</td></tr>`;
  const [low, high] = wilson(totals.attributed_plays, totals.impressions);
  /** @param {number} share */
  const x = (share) => (200 * Math.min(1, share / most)).toFixed(1);
  return html`<tr><th scope="row">${dimension}</th><td>${number(totals.impressions)}</td><td>${number(totals.plays)}</td>
    <td>${percent(rate)}</td><td><svg class="interval" viewBox="0 0 200 14" role="img" aria-label=${`between ${percent(low)} and ${percent(high)}`}>
      <line x1=${x(low)} x2=${x(high)} y1="7" y2="7" /><circle cx=${x(rate)} cy="7" r="3.5" /></svg></td></tr>`;
}

const HALF_HOUR_MS = 1_800_000;

/** @param {{epochs: import("../types").Document<"EpochDocument">[]}} of */
function Curve({ epochs }) {
  // Half hours in which nothing was counted are not in the answer.
  const counted = new Map(epochs.map((one) => [Date.parse(one.start), one.plays]));
  const starts = [...counted.keys()];
  const [first, last] = [Math.min(...starts), Math.max(...starts)];
  const plays = Array.from({ length: epochs.length && (last - first) / HALF_HOUR_MS + 1 }, (_, at) => counted.get(first + at * HALF_HOUR_MS) ?? 0);
  if (plays.length < 2) return html`<p class="note">Counted in one half hour only: nothing to draw yet.</p>`;
  const most = Math.max(1, ...plays);
  const points = plays.map((count, i) => `${((600 * i) / (plays.length - 1)).toFixed(1)},${(78 - (74 * count) / most).toFixed(1)}`).join(" ");
  return html`<svg class="curve" viewBox="0 0 600 80" preserveAspectRatio="none" role="img" aria-label=${`Plays by half hour of event time, ${plays.length} of them, ${most} at most`}>
    <polyline class="line" points=${points} /></svg><p class="note">plays by half hour, ${epochs[0].start.slice(0, 16)} to ${epochs[epochs.length - 1].start.slice(0, 16)} UTC, at most ${most}</p>`;
}

function Title() {
  if (!shown.value) return null;
  const { insights, similar } = shown.value;
  const most = Math.max(0.01, ...insights.dimensions.filter((one) => one.totals.impressions).map((one) => wilson(one.totals.attributed_plays, one.totals.impressions)[1]));
  const all = insights.dimensions.find((one) => one.dimension === "all");
  return html`<h2>${insights.name ?? insights.title} <small>${insights.title}, ${number(insights.plays_ever)} plays ever</small></h2>
    ${all && html`<section aria-labelledby="time"><h3 id="time">Over time</h3><${Curve} epochs=${all.epochs} /></section>`}
    <section aria-labelledby="takes"><h3 id="takes">Take rate, with 95 % of certainty</h3>
      <div class="scroll" tabindex="0" role="region" aria-label="Take rates"><table><thead><tr>${["where", "shown", "plays", "taken", "interval"].map((head) => html`<th scope="col" key=${head}>${head}</th>`)}</tr></thead>
        <tbody>${insights.dimensions.map((one) => html`<${Take} key=${one.dimension} dimension=${one.dimension} totals=${one.totals} most=${most} />`)}</tbody></table></div></section>
    <section aria-labelledby="similar"><h3 id="similar">What is like it</h3>
      <ul class="reasons">${similar.map((one) => html`<li key=${one.title}><button onClick=${() => show(one.title)}>${one.name ?? one.title}</button></li>`)}</ul>
      ${!similar.length && html`<p class="note">Nothing is known to be.</p>`}</section>`;
}

/** What is shown was as of the visit before. */
const asks = eachVisit(() => { if (wanted.value) show(wanted.value); });

export function Titles() {
  asks();
  const trending = overview.value?.trending ?? [];
  if (shown.value === null && !trouble.value && !wanted.value && trending.length) show(trending[0].title);
  return html`
    <form class="tools" onSubmit=${(event) => { event.preventDefault(); show(event.target.elements.title.value.trim()); }}>
      <label>Title <input name="title" value=${wanted.value} placeholder="t12" required /></label> <button>Show</button> <span role="alert" class="note">${trouble.value}</span></form>
    <ul class="reasons" aria-label="Trending">${trending.map((one) => html`
      <li key=${one.title}><button aria-pressed=${wanted.value === one.title} onClick=${() => show(one.title)}>${one.name ?? one.title}</button></li>`)}</ul>
    ${shown.value ? html`<${Title} />` : html`<p class="note">Choose a title, or type its id.</p>`}`;
}
