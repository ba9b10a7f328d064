// One sentence, the walk of an event, every partition, and what was mended last.
import { html, duration, number, percent, partition, clock, State } from "../ui.js";
import { overview, partitions, remediations } from "../feed.js";
import { answers, look, measures } from "../measures.js";

/** One query of a thousand may be answered otherwise than live within 100 ms. */
const BUDGET = 0.001;

let timer = 0;
const keepLooking = () => {
  if (!document.hidden && document.getElementById("walk")) look().catch(() => {});
};

/** @param {{now: import("../types").Document<"Overview">}} of */
function Sentence({ now }) {
  const here = now.partitions - now.elsewhere;
  const { live, store, popular } = now.queries;
  const all = live + store + popular;
  const elsewhere = now.elsewhere ? ` (${now.elsewhere} on other nodes)` : "";
  const answered = all ? `${percent(live / all)} of answers live` : "nobody has asked yet";
  return html`<p class="sentence">${now.live} of ${here} partitions live${elsewhere}, ${(now.lag_ms / 1000).toFixed(1)} s behind, ${answered}.</p>`;
}

/** @param {{name: string, rate: number | undefined, unit: string, at: {p50?: number | null, p99?: number | null} | undefined, note: string}} of */
function Step({ name, rate, unit, at, note }) {
  const times = at?.p50 != null && at.p99 != null ? `half within ${duration(at.p50)}, 99 % within ${duration(at.p99)}` : note;
  return html`<li><b>${name}</b><span class="figure">${rate == null ? "–" : number(rate)}</span> <small>${unit}</small><p class="note">${times}</p></li>`;
}

function Budget() {
  if (!answers.value) return null;
  const { all, good } = answers.value;
  if (!all) return html`<p class="note">No query yet: the error budget is whole.</p>`;
  const used = (1 - good / all) / BUDGET;
  return html`<p>Since the start, ${percent(good / all)} of ${number(all)} queries were answered live within 100 ms.
    ${used > 1 ? html` <b class="state restarting">The error budget of 0.1 % is used up ${used.toFixed(1)} times.</b>` : html` Of the error budget of 0.1 %, ${percent(1 - used)} is left.`}</p>`;
}

export function Now() {
  if (!timer) {
    timer = setInterval(keepLooking, 2000);
    // Once the page is there.
    setTimeout(keepLooking, 0);
  }
  const now = overview.value;
  if (!now) return html`<p class="note">Waiting for the first look…</p>`;
  const walk = measures.value;
  const last = remediations.value[0];
  return html`
    <${Sentence} now=${now} />
    <section aria-labelledby="walk"><h2 id="walk">The walk of an event</h2>
      <ol class="walk">
        <${Step} name="publish" rate=${walk.publish?.rate} unit="events/s over HTTP" note="others come through the log" />
        <${Step} name="fold" rate=${now.events_per_s} unit="events/s" at=${walk.fold} note="no batch just now" />
        <${Step} name="commit" rate=${walk.commit?.rate} unit="commits/s" at=${walk.commit} note="nothing to commit" />
        <${Step} name="answer" rate=${now.queries_per_s} unit="queries/s" at=${walk.answer} note="nobody asks just now" />
      </ol>
      <${Curve} values=${now.events_per_s_history} />
    </section>
    <section aria-labelledby="grid"><h2 id="grid">Partitions</h2>
      <ul class="grid">${partitions.value.map((p) => html`
        <li key=${p.partition}><a href=${"#/partitions/" + p.partition} class=${"cell " + p.state}><b>${partition(p.partition)}</b> <${State} state=${p.state} /></a></li>`)}</ul>
    </section>
    <section aria-labelledby="mended"><h2 id="mended">Mended last</h2>
      ${last ? html`<p>${clock(last.at_ms)} UTC, ${partition(last.partition)}: <b>${last.fault}</b>, ${last.action}${last.took_ms == null ? ", under way" : `, ${last.after?.state} again after ${duration(last.took_ms)}`}. <a href="#/remediations">All of them</a></p>` : html`<p class="note">Nothing had to be mended.</p>`}
      <${Budget} />
    </section>`;
}

/** @param {{values: number[]}} of */
function Curve({ values }) {
  if (values.length < 2) return null;
  const top = Math.max(1, ...values);
  const step = 600 / (values.length - 1);
  const line = values.map((v, i) => `${i ? "L" : "M"}${(i * step).toFixed(1)},${(76 - (70 * v) / top).toFixed(1)}`).join("");
  return html`<svg class="curve" viewBox="0 0 600 80" preserveAspectRatio="none" role="img" aria-label=${`Events folded a second over the last ${values.length} seconds, ${number(top)} at most`}>
    <path class="area" d=${line + "L600,80L0,80Z"} /><path class="line" d=${line} vector-effect="non-scaling-stroke" /></svg>`;
}
