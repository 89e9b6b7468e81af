"""App Home, in Block Kit: what a person's own page shows."""

from bot.surfaces.home.data import Flow, Keeping
from bot.surfaces.home.view import HomePage, home_view
from bot.surfaces.home.where import Where, metadata_where, searched_words

__all__ = [
    "Flow",
    "HomePage",
    "Keeping",
    "Where",
    "home_view",
    "metadata_where",
    "searched_words",
]
