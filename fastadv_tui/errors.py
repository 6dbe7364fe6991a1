"""The errors that a user can put right: their message is one clear line with the way out."""


class UserError(Exception):
    """Shown as it is, without a traceback; exit code 2."""
