"""Bolt's listeners: thin, one job each."""

from bot.listeners import actions, commands, events

__all__ = ["actions", "commands", "events"]
