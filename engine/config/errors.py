"""The errors that a user can put right."""


class ConfigError(ValueError):
    """A setting that a user can put right; the message is one line that names it, its value and what is allowed."""


class DataError(ConfigError):
    """The data is missing, damaged or something else; the message is one line that says where and what to do."""
