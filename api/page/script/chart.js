/* Charts: small lines of a history. They repeat what words say, so screen readers skip them. */

const SVG = "http://www.w3.org/2000/svg";
const CHART_WIDTH = 100, CHART_HEIGHT = 30; // units of the drawing, which CSS stretches

function makeSvg(name, attributes, ...children) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

/* Where the values stand in the drawing, from 0 at the bottom up to the greatest. */
function chartPoints(values) {
  const most = Math.max(1, ...values), step = CHART_WIDTH / Math.max(1, values.length - 1);
  return values.map((value, at) => `${(at * step).toFixed(2)},${(CHART_HEIGHT * (1 - value / most)).toFixed(2)}`);
}

/* A line through the values, oldest first, with a dot at the latest. */
function sparkline(values) {
  const points = chartPoints(values), ground = `0,${CHART_HEIGHT} ${points.join(" ")} ${CHART_WIDTH},${CHART_HEIGHT}`;
  const frame = {class: "sparkline", viewBox: `0 0 ${CHART_WIDTH} ${CHART_HEIGHT}`, preserveAspectRatio: "none",
    "aria-hidden": "true"};
  return makeSvg("svg", frame,
    makeSvg("polygon", {points: ground}),
    makeSvg("polyline", {points: points.join(" ")}),
    makeSvg("path", {d: `M${points.at(-1)}h0.001`}));
}
