// Variants against the first of them, the control; what is not enough yet is said, and so is what cannot be trusted.
import { eachVisit, html, signal, ask, number, percent } from "../ui.js";

/** @type {import("../types").Signal<import("../types").Document<"ExperimentDocument">[] | null>} */
const experiments = signal(null);
const trouble = signal("");

async function load() {
  try {
    [experiments.value, trouble.value] = [(await ask("v1/experiments")).experiments, ""];
  } catch (error) { trouble.value = error.message; }
}

/** @param {number} share */
const points = (share) => `${share > 0 ? "+" : ""}${(100 * share).toFixed(2)} points`;

/** @param {number} p */
const chance = (p) => (p < 0.0001 ? "< 0.0001" : p.toFixed(4));

/** What the interval of a difference says.
 * @param {import("../types").Document<"VariantResult">} of */
function words({ difference, impressions }) {
  if (!impressions) return "not shown yet";
  if (!difference) return "not enough yet";
  const { low, high } = difference.interval;
  if (low > 0) return "better than the control";
  if (high < 0) return "worse than the control";
  return "not enough yet: no difference that chance would not make";
}

/** What can be said of all of them yet, and how much more it takes: 16 p (1 − p) / d² impressions a variant see a difference of d with a chance of 80 %.
 * @param {{variants: import("../types").Document<"VariantResult">[]}} of */
function Enough({ variants }) {
  const [control, ...others] = variants;
  const told = others.filter((one) => /^(better|worse)/.test(words(one)));
  if (told.length) return html`<p class="verdict">${told.map((one) => `${one.name} is ${words(one)}`).join("; ")}.</p>`;
  const rate = control.take_rate;
  const least = Math.min(...variants.map((one) => one.impressions));
  if (!rate || rate === 1) return html`<p class="verdict">Not enough yet: nothing of the control was shown and taken.</p>`;
  const needed = Number(((16 * (1 - rate)) / rate / 0.01).toPrecision(2));
  return html`<p class="verdict">Not enough yet to tell any variant from the control: of each, ${number(least)} impressions or more are counted; to see a tenth more or
    less than the control's rate takes about ${number(needed)}.</p>`;
}

/** @param {{variants: import("../types").Document<"VariantResult">[]}} of */
function Forest({ variants }) {
  const others = variants.slice(1).flatMap(({ name, difference }) => (difference ? [{ name, ...difference }] : []));
  const reach = Math.max(0.005, ...others.flatMap(({ interval }) => [Math.abs(interval.low), Math.abs(interval.high)]));
  /** @param {number} share */
  const x = (share) => (360 + (225 * share) / reach).toFixed(1);
  const low = 24 * others.length;
  if (!others.length) return null;
  const said = others.map((one) => `${one.name} ${points(one.take_rate)}, between ${points(one.interval.low)} and ${points(one.interval.high)}`);
  return html`<svg class="lanes" viewBox=${`0 0 600 ${low + 22}`} role="img" aria-label=${`Differences to the control: ${said.join("; ")}`}>
    <line x1="360" x2="360" y1="0" y2=${low} />
    ${others.map(({ name, take_rate, interval }, i) => html`<g key=${name}><text x="4" y=${24 * i + 16}>${name}</text>
      <line class="reach" x1=${x(interval.low)} x2=${x(interval.high)} y1=${24 * i + 12} y2=${24 * i + 12} /><circle class="done" cx=${x(take_rate)} cy=${24 * i + 12} r="5" /></g>`)}
    <text x="135" y=${low + 16}>${points(-reach)}</text><text x="360" y=${low + 16} text-anchor="middle">the control</text><text x="585" y=${low + 16} text-anchor="end">${points(reach)}</text></svg>`;
}

/** @param {{one: import("../types").Document<"ExperimentDocument">}} of */
function Experiment({ one }) {
  const ratio = one.sample_ratio;
  return html`<section aria-labelledby=${"x-" + one.name}><h2 id=${"x-" + one.name}>${one.name} <small>${percent(one.share)} of the members</small></h2>
    ${ratio?.mismatch && html`<p role="alert" class="state failed">Members are not where they were dealt (p = ${ratio.p_value.toExponential(1)}): something loses those of one variant, and the rates are not to be trusted.</p>`}
    <${Enough} variants=${one.variants} />
    <${Forest} variants=${one.variants} />
    <div class="scroll" tabindex="0" role="region" aria-label=${"Variants of " + one.name}><table>
      <thead><tr>${["variant", "share", "shown", "taken", "take rate", "interval", "to the control", "p"].map((head) => html`<th scope="col" key=${head}>${head}</th>`)}</tr></thead>
      <tbody>${one.variants.map((variant, i) => html`<tr key=${variant.name}><th scope="row">${variant.name}</th><td>${percent(variant.share)}</td><td>${number(variant.impressions)}</td>
        <td>${number(variant.attributed_plays)}</td><td>${variant.take_rate == null ? "" : percent(variant.take_rate)}</td>
        <td>${variant.interval ? `${percent(variant.interval.low)} to ${percent(variant.interval.high)}` : ""}</td>
        <td class="wrap">${i ? html`${variant.difference ? points(variant.difference.take_rate) + ": " : ""}${words(variant)}` : "the control"}</td>
        <td>${variant.difference ? chance(variant.difference.p_value) : ""}</td></tr>`)}</tbody></table></div>
    <p class="note">Impressions are taken as independent; a member's are not: read a p near 0.05 with care.</p></section>`;
}

const asks = eachVisit(load);

export function Experiments() {
  asks();
  const all = experiments.value ?? [];
  return html`<p class="tools"><button onClick=${load}>Look again</button> <span class="note">${trouble.value}</span></p>
    ${all.map((one) => html`<${Experiment} key=${one.name} one=${one} />`)}
    ${experiments.value && !all.length && html`<p class="note">No experiment runs: add one as [[experiments]] to the configuration.</p>`}`;
}
