// A small app on Bolt for JavaScript, for Slack or packages/slack-playground; manifest: bolt_app.json.
import bolt from "@slack/bolt";

const app = new bolt.App({
  token: process.env.SLACK_BOT_TOKEN,
  appToken: process.env.SLACK_APP_TOKEN,
  socketMode: true,
  clientOptions: { slackApiUrl: process.env.SLACK_API_URL ?? "https://slack.com/api/" },
});

app.message("hello", async ({ message, say }) => {
  const button = { type: "button", action_id: "wave", text: { type: "plain_text", text: "Wave" } };
  const section = { type: "section", text: { type: "mrkdwn", text: `Hello, <@${message.user}>!` } };
  await say({ text: `Hello, <@${message.user}>!`, blocks: [section, { type: "actions", elements: [button] }] });
});

app.action("wave", async ({ ack, body, say }) => {
  await ack();
  await say(`<@${body.user.id}> waved.`);
});

app.command("/backwards", async ({ ack, command, respond }) => {
  await ack();
  await respond([...command.text].reverse().join(""));
});

await app.start();
