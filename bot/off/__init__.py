"""Memory is off: everywhere or in a conversation, until a time or until it is switched on."""
