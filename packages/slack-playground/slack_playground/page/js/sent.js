// @ts-check
// What was sent: events to the app, its Slack calls, its model requests; by turn, newest first.

import { get, journal } from "./control.js";
import { button, icon, make, sync, toast } from "./dom.js";
import { asPlain } from "./mrkdwn.js";
import { changed, nameOf, store } from "./store.js";
import { clock, t } from "./words.js";

const KEPT = 400;
const filters = make("div", { class: "filters", role: "group" });
const list = make("ol", { class: "sent-list", role: "list" });
export const sentPanel = make("div", { class: "panel sent" }, filters, make("div", { class: "scroller" }, list));

const seen = { deliveries: new Map(), calls: new Map(), model: new Map() };
const last = { deliveries: 0, calls: 0, model: 0 };
let filter = "all";
let running = null;
let again = false;

export function refreshSent() {
  if (store.side !== "sent") return;
  if (running) {
    again = true;
    return;
  }
  running = fetchAll().catch(() => null).finally(() => {
    running = null;
    if (again) {
      again = false;
      setTimeout(refreshSent, 150);
    }
  });
}

export function forgetSent() {
  for (const name of Object.keys(seen)) {
    seen[name].clear();
    last[name] = 0;
  }
}

async function fetchAll() {
  if (!last.calls) last.calls = Math.max(0, store.workspace.calls - KEPT);
  const [deliveries, calls, model] = await Promise.all([
    get("deliveries", { since: last.deliveries }), get("calls", { since: last.calls }),
    store.workspace.stand_in_model ? journal(last.model) : { entries: [], last: 0 },
  ]);
  for (const entry of deliveries.deliveries) seen.deliveries.set(entry.number, entry);
  for (const entry of calls.calls) seen.calls.set(entry.number, entry);
  for (const entry of model.entries) seen.model.set(entry.n, entry);
  // What is still on its way is asked for again.
  last.deliveries = oldest([...seen.deliveries.values()].filter((entry) => entry.outcome === "pending").map((entry) => entry.number), deliveries.last);
  last.calls = oldest([...seen.calls.values()].filter((entry) => !entry.outcome).map((entry) => entry.number), calls.last);
  last.model = model.last;
  for (const kept of Object.values(seen)) while (kept.size > KEPT) kept.delete(kept.keys().next().value);
  changed("sent");
}

const oldest = (waiting, end) => Math.min(end, ...waiting.map((number) => number - 1));

setInterval(() => {
  if (store.side === "sent" && !document.hidden && store.online) refreshSent();
}, 2000);

// Turns: what somebody did, and everything until the next thing somebody does.
function turns() {
  const all = [
    ...[...seen.deliveries.values()].map((entry) => ({ kind: "toApp", key: `d${entry.number}`, time: entry.time, entry })),
    ...[...seen.calls.values()].map((entry) => ({ kind: "toSlack", key: `c${entry.number}`, time: entry.time, entry })),
    ...[...seen.model.values()].map((entry) => ({ kind: "toModel", key: `m${entry.n}`, time: entry.time, entry })),
  ].sort((a, b) => a.time - b.time);
  const found = [];
  let began = null;
  for (const one of all) {
    const start = one.kind === "toApp" ? doneBy(one.entry) : null;
    if (start && start.id !== began) {
      began = start.id;
      found.push({ ...start, key: `turn-${one.key}`, entries: [] });
    }
    if (!found.length) found.push({ key: "turn-before", title: t("before"), entries: [] });
    found.at(-1).entries.push(one);
  }
  return found.reverse();
}

function doneBy({ kind, name, body, number }) {
  if (kind === "slash_commands") return { id: number, title: t("turn", { name: nameOf(body.user_id), what: `${name} ${body.text}`.trim() }) };
  if (kind === "interactive") return { id: number, title: t("turn", { name: nameOf(body.user?.id), what: body.actions?.[0]?.text?.text ?? body.view?.title?.text ?? name }) };
  const event = body.event ?? {};
  if (!["message", "app_mention"].includes(event.type) || event.bot_id) return null;
  const said = event.message ?? event;
  if (said.bot_id || said.user === store.workspace.bot_user_id || event.subtype === "message_deleted" && event.previous_message?.bot_id) return null;
  const text = asPlain(said.text ?? event.previous_message?.text ?? "");
  return { id: `${event.subtype ?? ""}${event.client_msg_id ?? said.ts}`, title: t("turn", { name: nameOf(said.user ?? event.previous_message?.user), what: text }) };
}

export function drawSent() {
  sync(filters, ["all", "toApp", "toSlack", "toModel"].map((name) => ({
    key: name, sign: `${t(name)}${filter === name}`,
    build: () => button({ class: "filter", "aria-pressed": String(filter === name), "data-focus": name, onclick: () => {
      filter = name;
      drawSent();
    } }, t(name)),
  })));
  list.setAttribute("aria-label", t("sentTitle"));
  const shown = turns().flatMap((turn) => {
    const entries = turn.entries.filter((one) => filter === "all" || one.kind === filter).reverse();
    if (!entries.length) return [];
    return [
      { key: turn.key, sign: turn.title, build: () => make("li", { class: "turn", title: turn.title }, make("h3", {}, turn.title)) },
      ...entries.map((one) => ({ key: one.key, sign: signOf(one), build: () => row(one) })),
    ];
  });
  if (!shown.length) shown.push({ key: "empty", sign: t("sentEmpty"), build: () => make("li", { class: "sent-empty" }, t("sentEmpty")) });
  const openKeys = new Set([...list.querySelectorAll("li > details[open]")].map((one) => one.parentElement.dataset.key));
  sync(list, shown);
  for (const key of openKeys) list.querySelector(`[data-key="${key}"] > details`)?.setAttribute("open", "");
}

const signOf = ({ kind, entry }) => `${kind}${entry.outcome ?? ""}${entry.ms ?? ""}${entry.attempts?.length ?? ""}${document.documentElement.lang}`;

function row(one) {
  const { kind, entry } = one;
  const details = make("details", {}, summary(kind, entry));
  details.addEventListener("toggle", () => {
    if (details.open && details.childElementCount === 1) details.append(...more(kind, entry));
  });
  return make("li", { class: `sent-row ${kind}` }, details);
}

function summary(kind, entry) {
  const [what, name, good, result, ms] = {
    toApp: () => [t({ slash_commands: "commandKind", interactive: "clickKind" }[entry.kind] ?? "eventKind"), entry.name || entry.kind, entry.outcome !== "failed",
      entry.outcome === "pending" ? t("pending") : entry.outcome, entry.attempts.at(-1)?.ms],
    toSlack: () => [t("callKind"), entry.method, !entry.outcome || entry.outcome === "ok", entry.outcome || t("pending"), entry.ms],
    toModel: () => [t("modelKind"), entry.endpoint === "embeddings" ? "embeddings" : `${entry.endpoint} · ${entry.kind}`, entry.status === 200, entry.status === 200 ? "ok" : String(entry.status), entry.ms],
  }[kind]();
  return make("summary", {}, make("span", { class: "sent-kind" }, what), make("code", { class: "sent-name" }, name),
    make("span", { class: `outcome ${good ? "good" : "bad"}` }, result), make("span", { class: "soft" }, ms === undefined ? "" : `${Math.round(ms)} ms`),
    make("time", { class: "soft" }, clock(entry.time)));
}

function more(kind, entry) {
  const parts = {
    toApp: () => [json("", entry.body), entry.attempts.at(-1)?.answer ? json(t("answered"), entry.attempts.at(-1).answer) : null],
    toSlack: () => [json(t("asked"), entry.args), entry.result ? json(t("answered"), entry.result) : null],
    toModel: () => [...promptOf(entry), json(t("answered"), entry.answer), json("JSON", entry.body)],
  }[kind]();
  return [...parts.filter(Boolean), button({ class: "text copy", onclick: async () => {
    try {
      await navigator.clipboard.writeText(JSON.stringify(entry, null, 2));
      toast(t("copied"));
    } catch (error) {
      toast(error.message, "problem");
    }
  } }, icon("copy", 15), t("copy"))];
}

const json = (title, value) => make("div", { class: "json" }, title ? make("h4", {}, title) : null, make("pre", { tabindex: "0" }, JSON.stringify(value, null, 2)));

function promptOf({ endpoint, body }) {
  if (!body || endpoint === "embeddings") {
    const texts = [body?.input ?? []].flat();
    return [make("h4", {}, t("texts", { count: texts.length })), ...texts.slice(0, 20).map((text) => said("", text))];
  }
  const given = typeof body.input === "string" ? [{ role: "user", content: body.input }] : body.input ?? body.messages ?? [];
  const names = (body.tools ?? []).map((tool) => tool.name ?? tool.function?.name ?? tool.type);
  return [
    make("h4", {}, t("prompt")), make("p", { class: "soft" }, body.model),
    body.instructions ? said("instructions", body.instructions) : null,
    ...given.map((item) => said(item.role ?? item.type, textOf(item))),
    make("h4", {}, t("tools")), names.length ? make("p", { class: "tool-names" }, names.map((name) => make("code", {}, name))) : make("p", { class: "soft" }, t("noTools")),
  ];
}

function textOf(item) {
  if (typeof item.content === "string") return item.content;
  if (Array.isArray(item.content)) return item.content.map((part) => part.text ?? part.refusal ?? `[${part.type}]`).join("\n");
  if (item.type === "function_call") return `${item.name}(${item.arguments})`;
  return typeof item.output === "string" ? item.output : JSON.stringify(item.tool_calls ?? item);
}

const said = (role, text) => make("div", { class: `said ${role}` }, role ? make("strong", {}, role) : null, make("pre", { tabindex: "0" }, String(text)));
