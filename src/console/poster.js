// Posters drawn from a title and the artwork that was chosen for it: another artwork looks otherwise.
import { html } from "./ui.js";

/** @param {string} text */
function hash(text) {
  let value = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 0x01000193) >>> 0;
  return value;
}

/** @param {string} name */
const words = (name) => name.split(/\s+/).slice(0, 4);

/** @param {{title: string, name: string, artwork?: string}} of */
export function Poster({ title, name, artwork }) {
  const base = hash(title);
  const drawn = hash(title + "/" + (artwork ?? ""));
  const hue = base % 360;
  const other = (hue + 40 + (drawn % 120)) % 360;
  const shapes = Array.from({ length: 3 }, (_, i) => {
    const bits = hash(`${drawn}:${i}`);
    return [20 + (bits % 80), 20 + ((bits >>> 8) % 90), 14 + ((bits >>> 16) % 34)];
  });
  const fill = `hsl(${other} 60% 62%)`;
  const drawing = drawn % 3;
  return html`<svg class="poster" viewBox="0 0 120 160" aria-hidden="true">
    <rect width="120" height="160" fill=${`hsl(${hue} 45% 28%)`} />
    ${shapes.map(([x, y, size], i) => drawing === 0
      ? html`<circle key=${i} cx=${x} cy=${y} r=${size} fill=${fill} opacity="0.55" />`
      : drawing === 1
      ? html`<rect key=${i} x=${x - size} y=${y - size} width=${size * 1.6} height=${size * 1.6} fill=${fill} opacity="0.5" transform=${`rotate(${size} ${x} ${y})`} />`
      : html`<path key=${i} d=${`M${x} ${y - size}L${x + size} ${y + size}L${x - size} ${y + size}Z`} fill=${fill} opacity="0.5" />`)}
    <rect y="104" width="120" height="56" fill="#000" opacity="0.55" />
    ${words(name).map((word, i) => html`<text key=${i} x="8" y=${118 + 12 * i} fill="#fff" font-size="11">${word.slice(0, 16)}</text>`)}
  </svg>`;
}
