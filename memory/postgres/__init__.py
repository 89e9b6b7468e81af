"""The database: connections, transactions of one person, roles and migrations."""
