"""App Home, in Block Kit: what a person's own page shows."""

from bot.views.home.data import Flow, Keeping
from bot.views.home.position import Where, metadata_where, searched_words
from bot.views.home.view import HomePage, home_view

__all__ = [
    "Flow",
    "HomePage",
    "Keeping",
    "Where",
    "home_view",
    "metadata_where",
    "searched_words",
]
