"""One message from the inbox to its reply, and the memories formed from it.

Read `turn`, `context`, `prompt`, `reply`, `sink`, `model`, `tools`, `links`, `web_search` and
`attachments` in this order, then `fixed_replies`, `formation`, `changes` and `backfill`. Before
them `handle_event` of `bot.listeners.events` stores the message. `Turns.begin` of
`bot.conversation.turns` reads the context, `bot.delivery` implements `sink`, and `Turns.end` ends
the turn.
"""
