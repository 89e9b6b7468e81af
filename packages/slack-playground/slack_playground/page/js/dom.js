// @ts-check
// Elements. Text goes in as text nodes, never as HTML.

export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "class") element.className = value;
    else if (name === "value") element.value = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  return fill(element, ...children);
}

// Gives an element these children in place of its own; null and false stand for none.
export function fill(element, ...children) {
  element.replaceChildren(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

export const button = (properties, ...children) => make("button", { type: "button", ...properties }, ...children);

const SHAPES = {
  hash: "M9 4 7 20M17 4l-2 16M4.5 9h16M3.5 15h16",
  lock: "M7 11V8a5 5 0 0 1 10 0v3M6 11h12v9H6z",
  group: "M9 11a3.2 3.2 0 1 0 0-6.4A3.2 3.2 0 0 0 9 11zM3 19c.5-3.4 2.8-5 6-5s5.500 1.600 6 5M16 5a3 3 0 0 1 0 5.800M17.500 14.300c2 .6 3.200 2.200 3.500 4.700",
  home: "M4 11l8-7 8 7M6 10v10h12V10",
  send: "M5 12 4 4.500 20.500 12 4 19.500 5 12zM5 12h8",
  edit: "M4 20l1-4L16.500 4.500l3 3L8 19l-4 1zM14 7l3 3",
  trash: "M5 7h14M10 7V4.500h4V7M7 7l.8 13h8.400L17 7M10.500 11v5M13.500 11v5",
  reply: "M4 5h16v11h-8l-5 4v-4H4z",
  stop: "M8 8h8v8H8z",
  close: "M6 6l12 12M18 6 6 18",
  back: "M14.500 5 8 12l6.500 7",
  sent: "M4 6h10M4 12h7M4 18h10M20 6l-4 6 4 6",
  more: "M6 12h.01M12 12h.01M18 12h.01",
  up: "M7 11v9H4v-9zM7 11l4-7c1.600 0 2.500 1 2.200 2.700L12.800 10H18c1.500 0 2.400 1.300 2 2.700l-1.500 5.500C18.200 19.300 17.300 20 16.200 20H7",
  downvote: "M17 13V4h3v9zM17 13l-4 7c-1.600 0-2.500-1-2.200-2.700l.4-3.300H6c-1.500 0-2.400-1.300-2-2.700l1.500-5.500C5.800 4.700 6.700 4 7.800 4H17",
  info: "M12 20a8 8 0 1 0 0-16 8 8 0 0 0 0 16zM12 11v5M12 8v.2",
  clip: "M19 11.500l-7.300 7.300a4.600 4.600 0 0 1-6.500-6.500l7.800-7.800a3 3 0 0 1 4.300 4.300l-7.700 7.700a1.500 1.500 0 0 1-2.100-2.100L14.500 7.500",
  bolt: "M13 3 5.500 13.500H12L11 21l7.500-10.500H12z",
  file: "M7 3.500h7l4 4V20.500H7zM14 3.500v4h4",
  eye: "M2.500 12S6 5.500 12 5.500 21.500 12 21.500 12 18 18.500 12 18.500 2.500 12 2.500 12zM12 14.500a2.500 2.500 0 1 0 0-5 2.500 2.500 0 0 0 0 5z",
  warning: "M12 4 2.500 20h19zM12 10v5M12 17.300v.2",
};

export function icon(name, size = 18) {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  for (const [key, value] of Object.entries({
    viewBox: "0 0 24 24", width: size, height: size, "aria-hidden": "true", focusable: "false", class: `icon i-${name}`,
  })) svg.setAttribute(key, String(value));
  const path = document.createElementNS(space, "path");
  path.setAttribute("d", SHAPES[name]);
  svg.append(path);
  return svg;
}

// Brings a list's children to `items`, [{key, sign, build}]: a child whose sign is unchanged stays
// as it is, so that focus, selection and open menus survive.
export function sync(list, items) {
  const known = new Map([...list.children].map((child) => [child.dataset.key, child]));
  const focused = document.activeElement;
  let at = list.firstElementChild;
  for (const { key, sign, build } of items) {
    let child = known.get(key);
    known.delete(key);
    if (!child || child.sign !== sign) {
      const fresh = build();
      fresh.dataset.key = key;
      fresh.sign = sign;
      if (child) {
        if (at === child) at = fresh;
        const held = child.contains(focused) ? focused : null;
        child.replaceWith(fresh);
        if (held) regain(child, fresh, held);
      }
      child = fresh;
    }
    if (child === at) at = at.nextElementSibling;
    else list.insertBefore(child, at);
  }
  for (const gone of known.values()) {
    const held = gone.contains(document.activeElement);
    gone.remove();
    if (held) list.lastElementChild?.focus({ preventScroll: true });
  }
}

function regain(old, fresh, held) {
  if (held === old) fresh.focus({ preventScroll: true });
  else (fresh.querySelector(`[data-focus="${CSS.escape(held.dataset.focus ?? "")}"]`) ?? fresh).focus({ preventScroll: true });
}

export function announce(text) {
  const place = document.getElementById("announcer");
  place.append(make("p", {}, text));
  while (place.childElementCount > 4) place.firstElementChild.remove();
}

// After a change of person, the earlier person's announcements are removed.
export const forgetAnnounced = () => document.getElementById("announcer").replaceChildren();

export function toast(text, kind = "") {
  const item = make("div", { class: `toast ${kind}`, role: kind === "problem" ? "alert" : "status" }, text);
  document.getElementById("toasts").append(item);
  setTimeout(() => item.remove(), 6000);
}
