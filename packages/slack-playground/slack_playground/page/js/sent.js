// @ts-check
// What was sent: events to the app, its Slack calls, its model requests; newest first.

import { get, journal } from "./control.js";
import { make, sync } from "./dom.js";
import { changed, oneAtATime, store } from "./store.js";
import { clock, t } from "./words.js";

const KEPT = 60;
const LATER = 1e9; // more than there are records: asks only for the number of the last one
const list = make("ol", { class: "sent-list", role: "list" });
export const sentPanel = make("div", { class: "panel sent" }, make("div", { class: "scroller" }, list));
let rows = [];

// Events may come faster than a person can see.
const fetchSent = oneAtATime(async () => {
  await fetchAll().catch(() => null);
  await new Promise((resolve) => setTimeout(resolve, 300));
});

export function refreshSent() {
  if (store.side === "sent") fetchSent();
}

async function newest(ask) {
  const { last } = await ask({ since: LATER });
  return ask({ since: Math.max(0, last - KEPT) });
}

async function fetchAll() {
  const [toApp, toSlack, toModel] = await Promise.all([
    newest((query) => get("deliveries", query)), newest((query) => get("calls", query)),
    store.workspace.stand_in_model ? newest(journal) : { entries: [] },
  ]);
  const of = (kind, entries) => entries.map((entry) => ({ kind, key: `${kind}${entry.number ?? entry.n}`, entry }));
  rows = [...of("toApp", toApp.deliveries), ...of("toSlack", toSlack.calls), ...of("toModel", toModel.entries)]
    .sort((a, b) => b.entry.time - a.entry.time).slice(0, KEPT);
  changed("sent");
}

export function drawSent() {
  list.setAttribute("aria-label", t("sentTitle"));
  const shown = rows.map((one) => ({ key: one.key, sign: signOf(one), build: () => row(one) }));
  if (!shown.length) shown.push({ key: "empty", sign: t("sentEmpty"), build: () => make("li", { class: "sent-empty" }, t("sentEmpty")) });
  sync(list, shown);
}

const signOf = ({ kind, entry }) => `${kind}${entry.outcome ?? ""}${entry.ms ?? ""}${entry.attempts?.length ?? ""}${document.documentElement.lang}`;

function row({ kind, entry }) {
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
