"""App Home, in Block Kit: what a person's own page shows."""

from bot.views.home.data import DataFlow, DataHandling
from bot.views.home.position import ListPosition, position_of, searched_words
from bot.views.home.view import HomePage, home_view

__all__ = [
    "DataFlow",
    "DataHandling",
    "HomePage",
    "ListPosition",
    "home_view",
    "position_of",
    "searched_words",
]
