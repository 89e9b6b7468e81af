"""App Home, in Block Kit: what a person's own page shows."""

from bot.surfaces.home.data import Flow, Keeping
from bot.surfaces.home.view import HomePage, home_view, is_said, said_blocks
from bot.surfaces.home.where import Where, metadata_where, searched_words

__all__ = [
    "Flow",
    "HomePage",
    "Keeping",
    "Where",
    "home_view",
    "is_said",
    "metadata_where",
    "said_blocks",
    "searched_words",
]
