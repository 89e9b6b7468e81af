// @ts-check
// Block Kit as it looks in Slack. Unknown blocks are shown as a labelled box.

import { icon, make } from "./dom.js";
import { image, renderElement } from "./elements.js";
import { link } from "./links.js";
import { renderMarkdown } from "./markdown.js";
import { mrkdwn, plainOrMrkdwn, withEmoji } from "./mrkdwn.js";
import { richText } from "./rich_text.js";
import { statusWord, t } from "./words.js";

export function renderBlocks(blocks, act) {
  const tasks = blocks.filter((block) => block.type === "task_card");
  const plan = blocks.find((block) => block.type === "plan" && !block.tasks);
  if (plan && tasks.length) {
    const rest = blocks.filter((block) => block !== plan && !tasks.includes(block));
    return [renderPlan({ ...plan, tasks }), ...rest.map((block) => renderBlock(block, act))];
  }
  return blocks.map((block) => renderBlock(block, act));
}

export function renderBlock(block, act) {
  const elements = () => block.elements.map((element) => renderElement(element, block, act));
  switch (block.type) {
    case "rich_text": return make("div", { class: "block rich" }, richText(block));
    case "markdown": return make("div", { class: "block markdown" }, renderMarkdown(block.text));
    case "section": return section(block, act);
    case "header": return make("div", { class: "block header", role: "heading", "aria-level": "3" }, withEmoji(block.text.text));
    case "context": return make("div", { class: "block context" }, block.elements.map((part) => (part.type === "image" ? image(part) : make("div", {}, plainOrMrkdwn(part)))));
    case "actions": return make("div", { class: "block actions" }, elements());
    case "context_actions": return make("div", { class: "block actions context-actions" }, elements());
    case "divider": return make("hr", { class: "block" });
    case "image": return make("figure", { class: "block" }, block.title ? make("figcaption", {}, block.title.text) : null, image(block, true));
    case "table": return table(block);
    case "task_card": return make("div", { class: "block tasks" }, task(block));
    case "plan": return renderPlan(block);
    case "video": return make("div", { class: "block image-blank" }, icon("eye"), link(block.title_url ?? block.video_url, block.title.text));
    case "input": return make("div", { class: "block" }, make("div", { class: "input-label" }, block.label.text), renderElement(block.element, block, act));
    default: return unknown(block);
  }
}

function section(block, act) {
  return make("div", { class: "block section" },
    make("div", { class: "section-text" },
      block.text ? plainOrMrkdwn(block.text) : null,
      block.fields ? make("div", { class: "fields" }, block.fields.map((part) => make("div", {}, plainOrMrkdwn(part)))) : null),
    block.accessory ? make("div", { class: "accessory" }, renderElement(block.accessory, block, act)) : null);
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

const MARKS = { pending: "circle", in_progress: "dots", complete: "check", error: "warning" };

function task(card) {
  const status = card.status ?? "pending";
  const rich = (part) => (typeof part === "string" ? mrkdwn(part) : part?.type === "rich_text" ? richText(part) : null);
  return make("div", { class: `task ${status}` },
    make("div", { class: "task-title" }, icon(MARKS[status] ?? "circle", 16), make("span", {}, card.title), make("small", {}, statusWord(status))),
    card.details ? make("div", { class: "task-more" }, rich(card.details)) : null,
    card.output ? make("div", { class: "task-more" }, rich(card.output)) : null,
    card.sources?.length ? make("div", { class: "task-more" }, `${t("sources")}: `, card.sources.map((source, index) => [index ? ", " : "", link(source.url, source.text ?? source.url)])) : null);
}

function renderPlan(block) {
  return make("div", { class: "block tasks plan" }, make("div", { class: "plan-title" }, typeof block.title === "string" ? block.title : block.title?.text),
    (block.tasks ?? []).map(task));
}

function unknown(block) {
  return make("div", { class: "block unknown" }, make("div", {}, icon("info", 16), " ", t("unknownBlock", { type: block.type })),
    make("details", {}, make("summary", {}, "JSON"), make("pre", { tabindex: "0" }, JSON.stringify(block, null, 2))));
}
