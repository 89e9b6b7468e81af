"""Why ``manifest.yml`` asks for each scope and event; a new one needs its sentence here."""

SCOPES = {
    "app_mentions:read": "To get the mentions that it answers in channels.",
    "assistant:write": "To know what the person looks at when they ask about it.",
    "channels:history": "To read the thread it is mentioned in, the messages it takes part in, and "
    "after an outage those that were addressed to it, in public channels.",
    "channels:read": "To look up what kind of conversation a public channel is, which decides "
    "where a memory may be used.",
    "chat:write": "To answer, with a status line while the answer is written, and to delete what "
    "it posted.",
    "commands": "For `/memories`, `/forget` and the shortcut.",
    "files:read": "To show the model images and files that come with a message. "
    "Without it the rest works.",
    "files:write": "To send the file of an export, and to delete it when everything is erased. "
    "Without it the rest works.",
    "groups:history": "As `channels:history`, in private channels that it was invited to.",
    "groups:read": "As `channels:read`, for private channels that it was invited to.",
    "im:history": "To get direct messages, and to find those that came during an outage.",
    "im:read": "As `channels:read`, for direct messages.",
    "mpim:history": "As `channels:history`, in group direct messages.",
    "mpim:read": "As `channels:read`, for group direct messages.",
    "users:read": "To know a person's language and time zone, and whether their account is "
    "deactivated.",
}

EVENTS = {
    "agent_session_stopped": "A person pressed Stop: the answer ends.",
    "agent_session_title_changed": "A person renamed the session: its title is left as it is.",
    "app_context_changed": "Notes for an hour which channel, canvas or message a person looks at.",
    "app_home_opened": "Shows the *Home* tab.",
    "app_mention": "Answers the message.",
    "app_uninstalled": "Stops serving the workspace, and deletes its data.",
    "channel_archive": "Looks up the kind of the conversation again before it is next used.",
    "channel_id_changed": "The same, for the old and the new id.",
    "channel_left": "The same.",
    "channel_shared": "The same: what was said in a channel that is now shared stays there.",
    "channel_unarchive": "The same.",
    "channel_unshared": "The same.",
    "group_left": "The same, for a private channel.",
    "message.channels": "Answers replies in threads it takes part in; follows edits and deletions "
    "of messages that it answered or remembers something of. Other messages are not stored.",
    "message.groups": "The same, in private channels.",
    "message.im": "Answers direct messages; follows their edits and deletions.",
    "message.mpim": "As `message.channels`, in group direct messages.",
    "tokens_revoked": "Stops serving the workspace if the bot's token was revoked, and deletes its "
    "data.",
    "user_change": "Notes a new language or time zone, and that an account was deactivated: its "
    "data is erased after 30 days.",
}
