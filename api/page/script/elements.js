/* Elements. */

const reducedMotion = matchMedia("(prefers-reduced-motion: reduce)");
const byId = id => document.getElementById(id);

function make(name, className, ...children) {
  const made = document.createElement(name);
  if (className) made.className = className;
  made.append(...children);
  return made;
}

/* Changes only what differs: a selection and the position of a screen reader stay. */
function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function hide(element, isHidden) {
  if (element.hidden !== isHidden) element.hidden = isHidden;
}

/* `spoken` is the text for screen readers. */
function setTextAndSpeech(element, seen, spoken) {
  if (element.dataset.spoken === spoken) return; // `seen` depends on it
  element.dataset.spoken = spoken;
  if (seen === spoken) return element.replaceChildren(seen);
  const sign = make("span", "", seen);
  sign.setAttribute("aria-hidden", "true");
  element.replaceChildren(sign, make("span", "spoken", spoken));
}
