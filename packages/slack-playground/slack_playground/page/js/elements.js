// @ts-check
// Interactive elements of blocks: buttons, menus, selects, feedback. `act(element, block, value)` tells the app.

import { button, icon, make, toast } from "./dom.js";
import { ask } from "./dialogs.js";
import { field, holdsValue } from "./fields.js";
import { menuButton } from "./menu.js";
import { plainOrMrkdwn, withEmoji } from "./mrkdwn.js";
import { t } from "./words.js";

export function renderElement(element, block, act) {
  const send = (value, control) => confirmed(element.confirm, () => busy(control, () => act(element, block, value)));
  if (element.type === "button") return plainButton(element, send);
  if (element.type === "overflow") return overflow(element, send);
  if (element.type === "feedback_buttons") return feedback(element, send, block);
  if (element.type === "icon_button") {
    return button({ class: "quiet", "aria-label": element.accessibility_label ?? element.text.text, title: element.text.text, "data-focus": element.action_id, onclick: () => send(element.value) }, icon("trash"));
  }
  if (element.type === "image") return image(element);
  if (holdsValue(element)) {
    const made = field(element, send);
    made.control.setAttribute("aria-label", element.placeholder?.text ?? block.text?.text?.replace(/[*_~`]/g, "") ?? block.label?.text ?? t("choose"));
    made.control.dataset.focus = element.action_id;
    return made.node;
  }
  return make("span", { class: "unknown" }, t("unknownBlock", { type: element.type }));
}

async function confirmed(question, act) {
  if (question) {
    const agreed = await ask({
      title: question.title.text, text: plainOrMrkdwn(question.text), confirm: question.confirm.text, deny: question.deny.text, danger: question.style === "danger",
    });
    if (!agreed) return;
  }
  await act();
}

// A button stays pressed in until the app has answered, so that a double click is one click.
async function busy(control, work) {
  if (!control) return work();
  if (control.getAttribute("aria-busy") === "true") return null;
  control.setAttribute("aria-busy", "true");
  try {
    return await work();
  } finally {
    control.removeAttribute("aria-busy");
  }
}

function plainButton(element, send) {
  const control = button({
    class: element.style ? `${element.style}${element.style === "primary" ? "" : " outlined"}` : "plain",
    "aria-label": element.accessibility_label, "data-focus": `${element.action_id}${element.value ?? ""}`,
    onclick: () => {
      if (element.url) toast(t("notFollowed", { url: element.url }));
      send(element.value, control);
    },
  }, withEmoji(element.text.text));
  return control;
}

function overflow(element, send) {
  return menuButton({ class: "plain overflow", "aria-label": t("moreActions"), "data-focus": element.action_id }, [icon("more")], () => element.options.map((option) => ({
    label: withEmoji(option.text.text), note: option.description?.text,
    choose: () => {
      if (option.url) toast(t("notFollowed", { url: option.url }));
      send(option.value);
    },
  })));
}

const given = new Map(); // block and action id of feedback buttons → the side that was pressed

function feedback(element, send, block) {
  const id = `${block.block_id}|${element.action_id}`;
  const sides = ["positive", "negative"].map((side) => {
    const part = element[`${side}_button`];
    const control = button({
      class: "feedback", "aria-pressed": String(given.get(id) === side), title: part.text.text, "aria-label": part.accessibility_label ?? part.text.text, "data-focus": `${element.action_id}${side}`,
      onclick: async () => {
        await send(side, control);
        given.set(id, side);
        for (const other of sides) other.setAttribute("aria-pressed", String(other === control));
      },
    }, icon(side === "positive" ? "up" : "downvote", 16), make("span", {}, part.text.text));
    return control;
  });
  return make("span", { class: "feedback-pair" }, sides);
}

// Nothing is loaded from elsewhere: only the playground's own images are shown.
export function image(element, large = false) {
  let own = null;
  try {
    own = new URL(element.image_url ?? "", location.href);
  } catch {
    own = null;
  }
  if (element.image_url && own?.origin === location.origin) return make("img", { class: large ? "large" : "thumb", src: own.href, alt: element.alt_text, loading: "lazy" });
  if (!large) return make("span", { class: "thumb blank", role: "img", "aria-label": element.alt_text, title: element.alt_text }, icon("eye", 14));
  return make("div", { class: "image-blank" }, icon("eye"), make("span", {}, t("imageOf", { alt: element.alt_text })));
}
