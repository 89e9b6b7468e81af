"""The database: connections, transactions of one person, roles and migrations."""

from memory.postgres.database import (
    Connection as Connection,
    PersonTransaction as PersonTransaction,
    Query as Query,
    execute_queries as execute_queries,
    execute_statement as execute_statement,
    fetch_rows as fetch_rows,
    person_statement as person_statement,
    person_transaction as person_transaction,
    transaction as transaction,
)
from memory.postgres.migrate import (
    Migration as Migration,
    check_access as check_access,
    check_database as check_database,
    packaged_migrations as packaged_migrations,
    stored_space as stored_space,
)
from memory.postgres.pool import (
    is_unavailable as is_unavailable,
    take_connection as take_connection,
    transaction_timeout as transaction_timeout,
)
from memory.postgres.statements import load_statements as load_statements
