"""The file `history.json`: reading, writing in one transaction, migrating from older versions."""
