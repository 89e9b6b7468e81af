"""One message from the inbox to its reply.

Read `turn`, `context`, `prompt`, `reply`, `tools`, `links`, `filters`, `web_search` and
`attachments` in this order, then `fixed_replies` and `edits`. Before them `handle_event` of
`bot.listeners.events` stores the message, and `attempts` takes it. `read_start` and `store_begin`
of `bot.conversation.turns` begin the turn, `bot.models` asks the model, `bot.delivery` writes what
it answers, and `end_turn` ends the turn.
"""
