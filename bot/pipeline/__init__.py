"""One message from the inbox to its reply, and the memories formed from it.

Read `turn`, `context`, `prompt`, `reply`, `model`, `tools`, `links`, `web_search` and `attachments`
in this order, then `fixed_replies`, `formation`, `changes` and `backfill`. Before them
`bot.listeners.app.store_event` stores the message; `turn` begins with
`bot.conversation.turns.Turns.begin`, which reads the context, and ends with `bot.delivery`.
"""
