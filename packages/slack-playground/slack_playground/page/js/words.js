// @ts-check
// The page's own words, in the language of the person who looks at it.

const en = {
  workspace: "Playground", people: "People", you: "You are {name}", be: "Be {name}, {language}",
  ownSlack: "Use It in Your Slack", thenRun: "Create the app there, then run in a terminal:", apps: "App", channels: "Channels", groups: "Group Messages",
  conversations: "Conversations", messagesTab: "Messages", homeTab: "Home",
  skip: "Skip to the message box", back: "Back", close: "Close", cancel: "Cancel", save: "Save", send: "Send", retry: "Try Again", discard: "Discard",
  writeTo: "Message {place}", replyHere: "Reply in this thread",
  commands: "Commands", attach: "Attach files", takeOut: "Remove",
  reply: "Reply in Thread", forward: "Forward to {app}", edit: "Edit", remove: "Delete", removeAsk: "Delete this message?", removeNote: "It is deleted for everyone, and {app} is notified.",
  edited: "(edited)", onlyYou: "Only visible to you", app: "APP", thread: "Thread", replies: { one: "{count} reply", other: "{count} replies" }, last: "Last reply {when}",
  today: "Today", yesterday: "Yesterday", sending: "Sending…", notSent: "Not sent.",
  stop: "Stop", stopLong: "Stop {app}'s answer", writing: "{app} is writing", stoppedByYou: "Stopped", working: "Working…", joined: "joined the channel",
  emptyDm: "Your direct messages with {app}", emptyDmNote: "Only you and {app} see what is written here.",
  emptyChannel: "This is the very beginning of {place}", emptyChannelNote: "Write @{app} and a question to have it answered here.",
  homeOff: "{app} has no Home tab", homeOffNote: "Its manifest does not switch the Home tab on.",
  homeEmpty: "Nothing here yet", homeEmptyNote: "The app has not published a Home tab for {name}.",
  offline: "The playground is not answering. Trying again…", noApp: "No app is connected: start it, and what you write is delivered.",
  sent: "See What Was Sent", sentTitle: "What was sent", sentEmpty: "Nothing yet. Write a message, and every event, Slack call and model request of it shows up here.",
  asked: "Arguments", answered: "Answer",
  eventKind: "Event", commandKind: "Command", clickKind: "Click", callKind: "Slack call", modelKind: "Model request", pending: "on its way",
  members: "Who is in it",
  required: "Please fill this in.",
  download: "Download", choose: "Choose…", moreActions: "More actions", ok: "OK", unknownBlock: "“{type}” block", imageOf: "Image: {alt}", notFollowed: "Links on buttons are not followed here. It leads to {url}", actionFailed: "The app did not take that ({reason}).", commandFailed: "{command} did not work: the app did not answer ({reason}).",
  noCommand: "{command} is not a command of this app. It has {commands}.", noThreadCommand: "As in Slack, slash commands do not work in threads. Send it in the conversation itself.",
  badge: "AI", table: "Table", newView: "A window opened: {title}",
  notInstalled: "{app} isn't installed in {workspace}.",
};

const ja = {
  workspace: "プレイグラウンド", people: "メンバー", you: "{name}として表示中", be: "{name}になる（{language}）",
  ownSlack: "自分のSlackで使う", thenRun: "アプリを作成したら、ターミナルで実行：", apps: "アプリ", channels: "チャンネル", groups: "グループメッセージ",
  conversations: "会話", messagesTab: "メッセージ", homeTab: "ホーム",
  skip: "メッセージ欄へ移動", back: "戻る", close: "閉じる", cancel: "キャンセル", save: "保存する", send: "送信", retry: "もう一度送る", discard: "破棄する",
  writeTo: "{place}へのメッセージ", replyHere: "スレッドに返信する",
  commands: "コマンド", attach: "ファイルを添付", takeOut: "削除",
  reply: "スレッドで返信する", forward: "{app}に転送する", edit: "編集する", remove: "削除する", removeAsk: "このメッセージを削除しますか？", removeNote: "全員の画面から消えます。削除されたことは{app}にも伝わります。",
  edited: "（編集済み）", onlyYou: "あなたにだけ表示されています", app: "アプリ", thread: "スレッド", replies: { other: "{count}件の返信" }, last: "最終返信：{when}",
  today: "今日", yesterday: "昨日", sending: "送信中…", notSent: "送信できませんでした。",
  stop: "停止", stopLong: "{app}の回答を停止する", writing: "{app}が入力しています", stoppedByYou: "停止しました", working: "作業しています…", joined: "さんがチャンネルに参加しました",
  emptyDm: "{app}とのダイレクトメッセージ", emptyDmNote: "ここでのやり取りは、あなたと{app}だけに表示されます。",
  emptyChannel: "{place}の始まりです", emptyChannelNote: "@{app} に続けて質問を書くと、ここで回答します。",
  homeOff: "{app}にはホームタブがありません", homeOffNote: "マニフェストでホームタブが有効になっていません。",
  homeEmpty: "まだ何もありません", homeEmptyNote: "アプリは{name}さんのホームタブをまだ公開していません。",
  offline: "プレイグラウンドにつながりません。再接続しています…", noApp: "アプリが接続されていません。起動すると、書いたものが届きます。",
  sent: "送信内容を見る", sentTitle: "送信内容", sentEmpty: "まだ何もありません。メッセージを書くと、イベント、Slackの呼び出し、モデルへの要求がここに並びます。",
  asked: "引数", answered: "応答",
  eventKind: "イベント", commandKind: "コマンド", clickKind: "クリック", callKind: "Slackの呼び出し", modelKind: "モデルへの要求", pending: "送信中",
  members: "参加する人",
  required: "入力してください。",
  download: "ダウンロード", choose: "選択…", moreActions: "その他の操作", ok: "OK", unknownBlock: "「{type}」ブロック", imageOf: "画像：{alt}", notFollowed: "ここではボタンのリンクは開きません。リンク先：{url}", actionFailed: "アプリが受け付けませんでした（{reason}）。", commandFailed: "{command} は失敗しました。アプリが応答しませんでした（{reason}）。",
  noCommand: "{command} というコマンドはありません。使えるのは {commands} です。", noThreadCommand: "スラッシュコマンドは、Slackと同じくスレッドでは使えません。会話のほうに書いてください。",
  badge: "AI", table: "表", newView: "ウィンドウが開きました：{title}",
  notInstalled: "{app}は{workspace}にインストールされていません。",
};

let app = "";
/** @type {Record<string, any>} */
let words = en;
let locale = "en-US";
let zone;

export function speak(person) {
  locale = person?.locale ?? "en-US";
  zone = person?.tz;
  words = locale.startsWith("ja") ? ja : en;
  document.documentElement.lang = words === ja ? "ja" : "en";
}

// The name that texts about the app use.
export function speakOf(name) {
  app = name;
}

export function t(key, values = {}) {
  let text = words[key] ?? en[key] ?? key;
  if (typeof text === "object" && !Array.isArray(text)) {
    text = text[new Intl.PluralRules(locale).select(values.count)] ?? text.other;
  }
  if (Array.isArray(text)) return text;
  return text.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? (name === "app" ? app : ""));
}

export const sizeOf = (bytes) => new Intl.NumberFormat(locale, { style: "unit", unit: bytes < 1e6 ? "kilobyte" : "megabyte", maximumFractionDigits: 1 }).format(bytes / (bytes < 1e6 ? 1e3 : 1e6));
export const languageName = (tag) => new Intl.DisplayNames([tag], { type: "language" }).of(tag.split("-")[0]);

const dateOf = (ts) => new Date(Number(ts) * 1000);
const format = (options, date) => new Intl.DateTimeFormat(locale, { timeZone: zone, ...options }).format(date);
export const dayKey = (ts) => new Intl.DateTimeFormat("sv", { timeZone: zone }).format(dateOf(ts));
export const timeOf = (ts) => format({ hour: "numeric", minute: "2-digit" }, dateOf(ts));
export const wholeTime = (ts) => format({ dateStyle: "full", timeStyle: "short" }, dateOf(ts));
export const clock = (seconds) => format({ hour: "2-digit", minute: "2-digit", second: "2-digit" }, new Date(seconds * 1000));

const DATES = {
  date_num: { year: "numeric", month: "2-digit", day: "2-digit" }, date_slash: { year: "numeric", month: "2-digit", day: "2-digit" },
  date: { dateStyle: "long" }, date_short: { dateStyle: "medium" }, date_long: { dateStyle: "full" },
  time: { timeStyle: "short" }, time_secs: { timeStyle: "medium" },
};

// A date as Slack writes it for each reader: "{date_short} {time}" in their language and time zone.
export const slackDate = (seconds, form) => form.replace(/\{(\w+?)(?:_pretty)?\}/g, (whole, name) => (DATES[name] ? format(words === ja && name === "date_short" ? DATES.date : DATES[name], new Date(seconds * 1000)) : whole));

export function dayOf(ts) {
  const now = Date.now() / 1000;
  if (dayKey(ts) === dayKey(now)) return t("today");
  if (dayKey(ts) === dayKey(now - 86400)) return t("yesterday");
  return format({ weekday: "long", month: "long", day: "numeric" }, dateOf(ts));
}

// "ja" if a text has kana, or Han characters from somebody who writes Japanese.
export function languageOf(text, person) {
  if (/[\u3040-\u30ff]/.test(text)) return "ja";
  if (/[\u3400-\u9fff]/.test(text)) return person?.locale?.startsWith("zh") ? "zh" : "ja";
  return person?.locale?.startsWith("ja") && !/[A-Za-z]{3}/.test(text) ? "ja" : "en";
}
