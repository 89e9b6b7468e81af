"""Persons, namespaces, kinds of memory and errors: types without a database."""
