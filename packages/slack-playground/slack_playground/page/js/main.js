// @ts-check
// Puts the page together.

import { drawConversation, drawHead, drawNotices, focusComposer, opened } from "./conversation.js";
import { bePerson, setTab, showPane, whenOpened } from "./going.js";
import { listenToKeys } from "./keys.js";
import { listen } from "./live.js";
import { drawViews, loadViews } from "./views.js";
import { drawSent, refreshSent } from "./sent.js";
import { drawSide, drawThread } from "./side.js";
import { drawSidebar } from "./sidebar.js";
import { isDm, here, loadWorkspace, on, people, recall, store } from "./store.js";
import { speak, t } from "./words.js";

function drawAll() {
  if (!store.me) return;
  speak(people().find((person) => person.id === store.me));
  document.getElementById("skip").textContent = t("skip");
  document.title = `${t("workspace")} · ${store.workspace.app_name}`;
  drawSidebar();
  drawHead();
  drawNotices();
}

on("workspace", drawAll);
on("online", drawNotices);
on("messages", () => store.channel && (drawConversation(), drawThread()));
on("views", () => drawViews());
on("home", () => store.tab !== "messages" && isDm(here()) && drawConversation());
on("side", () => {
  drawSide();
  drawHead();
  refreshSent();
});
on("sent", () => store.side === "sent" && drawSent());
whenOpened(() => {
  drawAll();
  opened();
});
listenToKeys(focusComposer);

document.getElementById("skip").addEventListener("click", async (event) => {
  event.preventDefault();
  showPane("conversation");
  if (isDm(here()) && store.tab !== "messages") await setTab("messages");
  focusComposer();
});

// The person of the last visit; on the first one, somebody who reads a language of the browser.
function firstPerson() {
  const language = (tag) => tag.split("-")[0].toLowerCase();
  const reader = (tag) => people().find((person) => language(person.locale ?? "") === language(tag));
  const wanted = [...navigator.languages, "en"].map(reader).find(Boolean);
  return people().find((person) => person.id === recall("me")) ?? wanted ?? people()[0];
}

async function begin() {
  await loadWorkspace();
  const known = firstPerson();
  if (window.matchMedia("(max-width: 480px)").matches) showPane("conversation");
  await bePerson(known.id);
  await loadViews();
  document.documentElement.dataset.ready = "yes";
}

await begin();
listen();
