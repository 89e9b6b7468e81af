// @ts-check
// Links and mentions, in any text. Only http(s) addresses can be followed.

import { make } from "./dom.js";
import { channel, store, user } from "./store.js";

export function link(url, ...content) {
  const children = content.length ? content : [url];
  let address = null;
  try {
    address = new URL(url);
  } catch {
    address = null;
  }
  if (!address || !["http:", "https:"].includes(address.protocol)) {
    return make("span", { class: "inert-link", title: url }, ...children);
  }
  return make("a", { href: address.href, target: "_blank", rel: "noopener noreferrer nofollow" }, ...children);
}

export function mention(id, fallback) {
  const person = user(id);
  const own = id === store.me;
  return make("span", { class: `mention${own ? " own" : ""}` }, `@${person?.name ?? fallback ?? id}`);
}

export const channelLink = (id, fallback) => make("span", { class: "mention" }, `#${channel(id)?.name ?? fallback ?? id}`);
export const broadcast = (range) => make("span", { class: "mention own" }, `@${range}`);

const EMOJI = {
  smile: "😄", grinning: "😀", slightly_smiling_face: "🙂", blush: "😊", joy: "😂", wink: "😉", thinking_face: "🤔", cry: "😢", sob: "😭",
  "+1": "👍", thumbsup: "👍", "-1": "👎", thumbsdown: "👎", wave: "👋", clap: "👏", pray: "🙏", ok_hand: "👌", raised_hands: "🙌", muscle: "💪", eyes: "👀",
  heart: "❤️", tada: "🎉", sparkles: "✨", star: "⭐", fire: "🔥", rocket: "🚀", bulb: "💡", memo: "📝", brain: "🧠", books: "📚", robot_face: "🤖",
  white_check_mark: "✅", white_large_square: "⬜", heavy_check_mark: "✔️", x: "❌", warning: "⚠️", information_source: "ℹ️", question: "❓", exclamation: "❗", lock: "🔒", key: "🔑",
  ramen: "🍜", rice: "🍚", sushi: "🍣", coffee: "☕", tea: "🍵", pizza: "🍕", spaghetti: "🍝", bento: "🍱", hourglass_flowing_sand: "⏳", mag: "🔍", wastebasket: "🗑️",
};

export function emoji(name, unicode) {
  const shown = EMOJI[name] ?? (unicode ? String.fromCodePoint(...unicode.split("-").map((part) => parseInt(part, 16))) : null);
  return shown ? make("span", { class: "emoji", role: "img", "aria-label": name.replaceAll("_", " ") }, shown) : document.createTextNode(`:${name}:`);
}
