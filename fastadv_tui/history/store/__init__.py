"""The file of the history: read, changed in one transaction, migrated."""
