// @ts-check
// What was sent: events to the app, its Slack calls, its model requests; by turn, newest first.

import { get, journal } from "./control.js";
import { button, make, sync } from "./dom.js";
import { asPlain } from "./text.js";
import { changed, nameOf, oneAtATime, store } from "./store.js";
import { clock, t } from "./words.js";

const KEPT = 400;
const filters = make("div", { class: "filters", role: "group" });
const list = make("ol", { class: "sent-list", role: "list" });
export const sentPanel = make("div", { class: "panel sent" }, filters, make("div", { class: "scroller" }, list));

const seen = { deliveries: new Map(), calls: new Map(), model: new Map() };
const last = { deliveries: 0, calls: 0, model: 0 };
let filter = "all";

// Events come faster than the eye sees.
const fetchSent = oneAtATime(async () => {
  await fetchAll().catch(() => null);
  await new Promise((resolve) => setTimeout(resolve, 150));
});

export function refreshSent() {
  if (store.side === "sent") fetchSent();
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
  const [asked, answered] = { toApp: [entry.body, entry.attempts?.at(-1)?.answer], toSlack: [entry.args, entry.result], toModel: [entry.body, entry.answer] }[kind];
  return [json(t("asked"), asked), answered ? json(t("answered"), answered) : null].filter(Boolean);
}

const json = (title, value) => make("div", { class: "json" }, make("h4", {}, title), make("pre", { tabindex: "0" }, JSON.stringify(value, null, 2).replaceAll("\\n", "\n")));
