"""The rows of memories: written, undone, forgotten, exported and kept in order."""

from memory.store.edits import (
    statement_of as statement_of,
)
from memory.store.erasing import erase_within as erase_within
from memory.store.expiry import expire_due as expire_due
from memory.store.forgetting import (
    EndTexts as EndTexts,
    forget_again as forget_again,
    forget_within as forget_within,
    forgotten_among as forgotten_among,
    forgotten_since as forgotten_since,
    selected as selected,
    undoable_forgetting as undoable_forgetting,
)
from memory.store.hidden import (
    UNDO_MINUTES as UNDO_MINUTES,
    seeing_forgotten as seeing_forgotten,
    seeing_states as seeing_states,
)
from memory.store.kept import (
    KEPT_BY_PERSON as KEPT_BY_PERSON,
    KEPT_IN_CONVERSATION as KEPT_IN_CONVERSATION,
    KEPT_TOKENS as KEPT_TOKENS,
    EndedLine as EndedLine,
    KeptLine as KeptLine,
    NewLine as NewLine,
    change_channel_of_kept as change_channel_of_kept,
    count_kept as count_kept,
    end_kept as end_kept,
    find_kept as find_kept,
    keep as keep,
    kept_query as kept_query,
    kept_settings as kept_settings,
    read_kept as read_kept,
    shown_lines as shown_lines,
)
from memory.store.memories import (
    MAX_MEMORIES as MAX_MEMORIES,
    find_memory as find_memory,
    read_in_order as read_in_order,
)
from memory.store.questions import (
    NotRemembered as NotRemembered,
    delete_set_aside as delete_set_aside,
    read_set_aside as read_set_aside,
    note_refusals as note_refusals,
    read_not_remembered as read_not_remembered,
)
from memory.store.reminders import (
    change_zone as change_zone,
    due_promises as due_promises,
    next_reminders as next_reminders,
    pass_reminders as pass_reminders,
    put_off as put_off,
)
from memory.store.statements import (
    change_channel as change_channel,
    delete_old as delete_old,
    leave_out as leave_out,
    message_parameters as message_parameters,
    messages_among as messages_among,
)
from memory.store.pages import memory_page as memory_page
from memory.store.people import (
    Asked as Asked,
    ask as ask,
    ask_query as ask_query,
    ask_within as ask_within,
    begin_epoch as begin_epoch,
    may_search as may_search,
    read_epoch as read_epoch,
)
from memory.store.reembedding import (
    embed_missing as embed_missing,
    reembed as reembed,
)
