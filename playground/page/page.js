// A plain page over the control API. Everything from a message goes in as a text node.

const $ = (id) => document.getElementById(id);
const control = "/_playground/";
let state = null;
let thread = null;
let pending = false;

async function call(path, body) {
  const options = body === undefined ? {} : {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  };
  const response = await fetch(control + path, options);
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.error);
  return answer;
}

function make(tag, className, ...children) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

function notice(text) {
  $("notice").textContent = text;
}

// Text: unescaped, mentions and links by name, always as text.
function readable(text) {
  return String(text ?? "")
    .replace(/<@([A-Z0-9]+)(?:\|[^>]*)?>/g, (_, id) => "@" + nameOf(id))
    .replace(/<#([A-Z0-9]+)(?:\|[^>]*)?>/g, (_, id) => "#" + (channelOf(id)?.name ?? id))
    .replace(/<(?:https?|mailto):([^|>]+)\|([^>]+)>/g, "$2")
    .replace(/<((?:https?|mailto):[^|>]+)>/g, "$1")
    .replace(/&lt;/g, "<").replace(/&gt;/g, ">").replace(/&amp;/g, "&");
}

const nameOf = (id) => state.users.find((user) => user.id === id)?.name ?? id;
const channelOf = (id) => state.channels.find((channel) => channel.id === id);
const person = () => $("person").value;
const channel = () => $("channel").value;

function channelName(entry) {
  if (!entry.is_im) return (entry.is_private ? "🔒 " : "#") + entry.name;
  const other = entry.members.find((id) => id !== person());
  return nameOf(other ?? entry.members[0]) + " (direct message)";
}

// Blocks

function richText(part) {
  if (part.elements) return part.elements.map(richText).join("");
  if (part.type === "user") return "@" + nameOf(part.user_id);
  if (part.type === "channel") return "#" + (channelOf(part.channel_id)?.name ?? part.channel_id);
  if (part.type === "emoji") return ":" + part.name + ":";
  return part.text ?? part.url ?? "";
}

function element(part, click) {
  if (part.type === "button") {
    const button = make("button", part.style ?? "", part.text.text);
    button.type = "button";
    button.addEventListener("click", () => {
      const ask = part.confirm;
      if (!ask || confirm(ask.title.text + "\n\n" + ask.text.text)) click(part, part.value);
    });
    return button;
  }
  if (part.type === "feedback_buttons") {
    const pair = ["positive_button", "negative_button"].map((side) => {
      const button = make("button", "", part[side].text.text);
      button.type = "button";
      button.addEventListener("click", () => click(part, part[side].value));
      return button;
    });
    return make("span", "actions", ...pair);
  }
  if (part.options) {
    const select = make("select", "", ...part.options.map((option) => {
      const choice = make("option", "", option.text.text);
      choice.value = option.value;
      return choice;
    }));
    const first = make("option", "", part.placeholder?.text ?? "Choose…");
    first.value = "";
    select.prepend(first);
    select.value = part.initial_option?.value ?? "";
    select.setAttribute("aria-label", part.placeholder?.text ?? "Choose");
    select.addEventListener("change", () => select.value && click(part, select.value));
    return select;
  }
  if (part.type === "image") return make("span", "meta", "[" + part.alt_text + "]");
  return make("span", "", readable(part.text?.text ?? part.text ?? ""));
}

function block(entry, click) {
  const clickHere = (part, value) => click(part.action_id, entry.block_id, value);
  switch (entry.type) {
    case "rich_text":
      return make("div", "", ...entry.elements.map((part) =>
        make({ rich_text_quote: "blockquote", rich_text_preformatted: "pre" }[part.type] ?? "div",
          "text", richText(part))));
    case "markdown": return make("div", "text", entry.text);
    case "section": return make("div", "",
      entry.text ? make("div", "text", readable(entry.text.text)) : null,
      ...(entry.fields ?? []).map((field) => make("div", "text", readable(field.text))),
      entry.accessory ? element(entry.accessory, clickHere) : null);
    case "header": return make("div", "header", entry.text.text);
    case "context": return make("div", "context", ...entry.elements.map((part) => element(part, clickHere)));
    case "actions":
    case "context_actions":
      return make("div", "actions", ...entry.elements.map((part) => element(part, clickHere)));
    case "divider": return make("hr");
    case "task_card": return make("div", "meta", entry.title + " — " + entry.status);
    case "plan": return make("div", "header", entry.title);
    default: return make("div", "meta", "[" + entry.type + "]");
  }
}

// Messages

function messageItem(message) {
  const reply = message.thread_ts && message.thread_ts !== message.ts;
  const item = make("li", "message" + (reply ? " reply" : "") + (message.is_ephemeral ? " only" : ""));
  const time = new Date(Number(message.ts) * 1000).toLocaleTimeString();
  const head = make("div", "",
    make("span", "author", nameOf(message.user)),
    make("span", "meta", time + (message.edited ? " (edited)" : "")));
  if (message.is_ephemeral) head.append(make("span", "meta", " · Only visible to you"));
  if (message.streaming) head.append(make("span", "meta", " · writing"));
  item.append(head);
  const click = async (action_id, block_id, value) => {
    await attempt(() => call("actions", {
      user: person(), channel: channel(), message_ts: message.ts, action_id, block_id, value,
    }));
  };
  const body = make("div", message.streaming ? "streaming" : "");
  if (message.blocks) body.append(...message.blocks.map((entry) => block(entry, click)));
  else body.append(make("div", "text", readable(message.text)));
  item.append(body);
  if (!message.is_ephemeral) {
    const root = message.thread_ts ?? message.ts;
    const answer = make("button", "small", "Reply in Thread");
    answer.type = "button";
    answer.addEventListener("click", () => inThread(root));
    item.append(answer);
    if (message.user === person()) {
      const edit = make("button", "small", "Edit");
      edit.addEventListener("click", async () => {
        const text = prompt("Edit the message", readable(message.text));
        if (text !== null) await attempt(() => call("messages/edit", { user: person(), channel: channel(), ts: message.ts, text }));
      });
      const remove = make("button", "small", "Delete");
      remove.addEventListener("click", () => attempt(() => call("messages/delete", { user: person(), channel: channel(), ts: message.ts })));
      item.append(edit, remove);
    }
    if (message.streaming) item.append(stopButton(root));
  }
  return item;
}

function stopButton(thread_ts) {
  const stop = make("button", "small", "Stop");
  stop.type = "button";
  stop.addEventListener("click", () => attempt(() => call("stop", { user: person(), channel: channel(), thread_ts })));
  return stop;
}

function ordered(messages) {
  const root = (message) => message.thread_ts ?? message.ts;
  return [...messages].sort((a, b) => root(a).localeCompare(root(b)) || a.ts.localeCompare(b.ts));
}

async function showMessages() {
  if (!channel()) return;
  const asked = channel();
  const found = await call(`channels/${asked}/messages?as=${person()}`);
  if (asked !== channel()) return;
  const items = [];
  const sorted = ordered(found.messages);
  sorted.forEach((message, index) => {
    items.push(messageItem(message));
    const root = message.thread_ts ?? message.ts;
    const next = sorted[index + 1];
    if (next && (next.thread_ts ?? next.ts) === root) return;
    const line = found.threads.find((entry) => entry.ts === root && entry.status);
    if (line) items.push(make("li", "status", "Kioku " + line.status + " ", stopButton(root)));
  });
  const main = document.querySelector("main");
  const atEnd = main.scrollHeight - main.scrollTop - main.clientHeight < 80;
  $("messages").replaceChildren(...items);
  if (atEnd) main.scrollTop = main.scrollHeight;
  const prompts = found.threads.find((entry) => entry.ts === "")?.prompts ?? [];
  const offered = prompts.length ? prompts : state.suggested_prompts;
  $("prompts").replaceChildren(...(channelOf(asked)?.is_im && !found.messages.length ? offered : [])
    .map((entry) => {
      const button = make("button", "", entry.title);
      button.type = "button";
      button.addEventListener("click", () => say(entry.message));
      return make("li", "", button);
    }));
}

// Modals

async function showModal() {
  const { views } = await call(`views?as=${person()}`);
  const dialog = $("modal");
  const view = views.at(-1);
  if (!view) return dialog.close();
  if (dialog.open && dialog.dataset.hash === view.hash) return;
  dialog.dataset.hash = view.hash;
  const form = make("form", "", make("h2", "", view.title.text));
  const inputs = [];
  const click = (action_id, block_id, value) => attempt(() => call("actions", {
    user: person(), view_id: view.id, action_id, block_id, value,
  }));
  for (const entry of view.blocks) {
    if (entry.type !== "input") {
      form.append(block(entry, click));
      continue;
    }
    const part = entry.element;
    const field = part.options ? element(part, () => {}) : make(part.multiline ? "textarea" : "input");
    if (!part.options) field.value = part.initial_value ?? "";
    const error = make("span", "error");
    form.append(make("label", "", entry.label.text, field, error));
    inputs.push({ entry, field, error });
  }
  const close = make("button", "", view.close?.text ?? "Cancel");
  close.type = "button";
  close.addEventListener("click", () => attempt(() => call("views/close", { user: person(), view_id: view.id })));
  form.append(make("div", "actions", view.submit ? make("button", "primary", view.submit.text) : null, close));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const values = {};
    for (const { entry, field } of inputs) if (field.value) values[entry.block_id] = field.value;
    const answer = await attempt(() => call("views/submit", { user: person(), view_id: view.id, values }));
    for (const { entry, error } of inputs) error.textContent = answer?.ack?.errors?.[entry.block_id] ?? "";
  });
  dialog.replaceChildren(form);
  if (!dialog.open) dialog.showModal();
}

// Doing things

async function attempt(action) {
  notice("");
  try {
    const answer = await action();
    if (answer.ok === false) notice("The app did not answer (" + answer.reason + ").");
    return answer;
  } catch (error) {
    notice(error.message);
    return null;
  }
}

function inThread(root) {
  thread = root;
  $("reply").hidden = !root;
  $("text").focus();
}

function say(text) {
  const command = text.match(/^(\/\S+)\s*(.*)$/s);
  if (command && !thread) {
    return attempt(() => call("commands", {
      user: person(), channel: channel(), command: command[1], text: command[2],
    }));
  }
  return attempt(() => call("messages", {
    user: person(), channel: channel(), text, thread_ts: thread ?? undefined,
  }));
}

async function showState() {
  state = await call("state");
  $("model").hidden = !state.stand_in_model;
  const people = state.users.filter((user) => !user.is_bot && !user.deleted);
  fill($("person"), people.map((user) => [user.id, user.name]));
  showChannels();
}

function showChannels() {
  const own = state.channels.filter((entry) => !entry.is_archived && entry.members.includes(person()));
  own.sort((a, b) => Number(b.is_im) - Number(a.is_im));
  fill($("channel"), own.map((entry) => [entry.id, channelName(entry)]));
}

function fill(select, pairs) {
  const chosen = select.value;
  select.replaceChildren(...pairs.map(([value, text]) => {
    const option = make("option", "", text);
    option.value = value;
    return option;
  }));
  if (pairs.some(([value]) => value === chosen)) select.value = chosen;
}

async function refresh() {
  if (pending) return;
  pending = true;
  await new Promise((resolve) => setTimeout(resolve, 60));
  pending = false;
  await showMessages();
  await showModal();
}

$("composer").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = $("text").value.trim();
  if (!text) return;
  $("text").value = "";
  say(text);
});
$("text").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    $("composer").requestSubmit();
  }
});
$("leave").addEventListener("click", () => inThread(null));
$("modal").addEventListener("cancel", (event) => event.preventDefault());
$("person").addEventListener("change", () => { inThread(null); showChannels(); opened(); });
$("channel").addEventListener("change", () => { inThread(null); opened(); });

async function opened() {
  await refresh();
  if (channelOf(channel())?.is_im) await attempt(() => call("home/open", { user: person(), tab: "messages" }));
}

const updates = new EventSource(control + "updates");
updates.addEventListener("message", async (event) => {
  const update = JSON.parse(event.data);
  if (update.changed === "state" || update.changed === "everything") await showState();
  if (["messages", "views", "state", "everything"].includes(update.changed)) await refresh();
});

await showState();
await opened();
