// @ts-check
// Server-Sent Events: what changed is fetched again. Comes back by itself when the server does.

import { at } from "./control.js";
import { changed, channel, loadConversation, loadWorkspace, store } from "./store.js";
import { tell } from "./conversation.js";
import { bePerson } from "./going.js";
import { loadViews } from "./views.js";
import { refreshSent } from "./sent.js";

// The browser connects again by itself; what changed meanwhile, or since the page was loaded, is fetched.
export function listen() {
  const source = new EventSource(at("updates"));
  const online = (is) => {
    store.online = is;
    changed("online");
  };
  source.addEventListener("open", () => everything().then(() => online(true), () => online(false)));
  source.addEventListener("message", (event) => heard(JSON.parse(event.data)));
  source.addEventListener("error", () => online(false));
}

// The workspace may be another one after a restart: then its first person looks at it.
async function everything() {
  await loadWorkspace();
  const known = store.workspace.users.some((person) => person.id === store.me);
  if (!known || !channel(store.channel)) {
    await bePerson(known ? store.me : store.workspace.users.find((person) => !person.is_bot).id);
  } else {
    for (const id of [...store.conversations.keys()]) if (id !== store.channel) store.conversations.delete(id);
    await loadConversation(store.channel);
  }
  await loadViews();
  changed("home", "side");
  refreshSent();
}

function heard(update) {
  switch (update.changed) {
    case "messages":
      quietly(() => fetchChannel(update.channel));
      break;
    case "views":
      if (update.user === store.me) {
        quietly(loadViews);
        changed("home");
      }
      break;
    case "state":
      quietly(loadWorkspace);
      break;
    default:
      refreshSent();
  }
}

// A fetch that fails because the server has just stopped is repeated when it is back.
async function quietly(work) {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
  }
}

// Loads run one at a time for each conversation, however many changes come.
async function fetchChannel(id) {
  if (!channel(id)) await loadWorkspace();
  if (!store.conversations.has(id)) return;
  await loadConversation(id);
  const news = store.conversations.get(id)?.news.splice(0) ?? [];
  if (id === store.channel) news.forEach(tell);
}
