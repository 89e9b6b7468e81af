"""The inbox: stored once, with its job, in order."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import psycopg
import pytest

from bot.conversation.claimed_message import (
    ClaimedMessage,
    Edited,
    Stopped,
    Superseded,
    Withdrawn,
    finish,
)
from bot.conversation.inbox import ANSWER, Inbox
from bot.queue.queue import REPLIES, Queue
from bot.slack.messages import Message
from memory import DM, Pool, create_pool, memory_view, transaction
from tests.conftest import owner_rows
from tests.integration.deliveries import turns_alone
from tests.integration.messages import LATER, change, following, message
