// @ts-check
// Block Kit as it looks in Slack. Unknown blocks are shown as a labelled box.

import { ask, menuButton } from "./dialogs.js";
import { button, icon, make, toast } from "./dom.js";
import { asPlain, plainOrMrkdwn, renderMarkdown, richText, withEmoji } from "./text.js";
import { t } from "./words.js";

// Buttons, menus and feedback. `act(element, block, value)` tells the app.

export function renderElement(element, block, act) {
  const send = (value, control) => confirmed(element.confirm, () => busy(control, () => act(element, block, value)));
  if (element.type === "button") return plainButton(element, send);
  if (element.type === "overflow") return overflow(element, send, block);
  if (element.type === "feedback_buttons") return feedback(element, send, block);
  if (element.type === "image") return image(element);
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

// Menus look alike, so the name of each says what it belongs to: the first line beside it.
function overflow(element, send, block) {
  const beside = asPlain(block.text?.text.split("\n")[0]).slice(0, 80);
  const name = beside ? `${t("moreActions")}: ${beside}` : t("moreActions");
  return menuButton({ class: "plain overflow", "aria-label": name, "data-focus": element.action_id }, [icon("more")], () => element.options.map((option) => ({
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

// Nothing is loaded from elsewhere: an image is shown by its words.
export function image(element, large = false) {
  if (!large) return make("span", { class: "thumb blank", role: "img", "aria-label": element.alt_text, title: element.alt_text }, icon("eye", 14));
  return make("div", { class: "image-blank" }, icon("eye"), make("span", {}, t("imageOf", { alt: element.alt_text })));
}

// Blocks; `show(element, block)` draws their interactive elements.

export const renderBlocks = (blocks, show) => blocks.map((block) => renderBlock(block, show));

function renderBlock(block, show) {
  const elements = () => block.elements.map((element) => show(element, block));
  switch (block.type) {
    case "rich_text": return make("div", { class: "block rich" }, richText(block));
    case "markdown": return make("div", { class: "block markdown" }, renderMarkdown(block.text));
    case "section": return section(block, show);
    case "header": return make("div", { class: "block header", role: "heading", "aria-level": "3" }, withEmoji(block.text.text));
    case "context": return make("div", { class: "block context" }, block.elements.map((part) => (part.type === "image" ? image(part) : make("div", {}, plainOrMrkdwn(part)))));
    case "actions": return make("div", { class: "block actions" }, elements());
    case "context_actions": return make("div", { class: "block actions context-actions" }, elements());
    case "divider": return make("hr", { class: "block" });
    case "image": return make("figure", { class: "block" }, block.title ? make("figcaption", {}, block.title.text) : null, image(block, true));
    case "table": return table(block);
    case "input": return show(block.element, block);
    default: return unknown(block);
  }
}

function section(block, show) {
  return make("div", { class: "block section" },
    make("div", { class: "section-text" },
      block.text ? plainOrMrkdwn(block.text) : null,
      block.fields ? make("div", { class: "fields" }, block.fields.map((part) => make("div", {}, plainOrMrkdwn(part)))) : null),
    block.accessory ? make("div", { class: "accessory" }, show(block.accessory, block)) : null);
}

function cell(content) {
  if (content?.type === "rich_text") return richText(content);
  if (content?.type === "raw_number") return [String(content.value ?? content.text)];
  return [content?.text ?? ""];
}

function table(block) {
  const [head, ...rows] = block.rows;
  const align = (index) => `align-${block.column_settings?.[index]?.align ?? "left"}`;
  const row = (tag, cells) => make("tr", {}, cells.map((content, index) => make(tag, { class: align(index), scope: tag === "th" ? "col" : null }, cell(content))));
  return make("div", { class: "block table-frame", tabindex: "0", role: "group", "aria-label": t("table") },
    make("table", {}, make("thead", {}, row("th", head)), make("tbody", {}, rows.map((cells) => row("td", cells)))));
}

function unknown(block) {
  return make("div", { class: "block unknown" }, make("div", {}, icon("info", 16), " ", t("unknownBlock", { type: block.type })),
    make("details", {}, make("summary", {}, "JSON"), make("pre", { tabindex: "0" }, JSON.stringify(block, null, 2))));
}
