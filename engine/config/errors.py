"""The errors of the engine, as a tree. The message of a UserError is one clear line that says the way out.

Exception
    UserError                   a user can put it right: exit code 2
        ConfigError             a setting or an option; a ValueError, too
            DataError           a data set that is missing, damaged or another one
            SourceError         images that cannot be prepared as they are
    Stopped                     no error: the process was asked to stop
    CopyError                   a preparation cannot go on; what is done is kept
    BrokenImageError            one image that cannot be copied, and is left out
    DecodeError                 one image that cannot be read, and is grey instead
        GoneError               its file is not there
    RuntimeError
        CheckpointError         no checkpoint of a run can be read
        DivergedError           the loss is no longer finite
"""


class UserError(Exception):
    """What a user can put right. It is shown as one line, without a traceback, and the exit code is 2."""


class ConfigError(UserError, ValueError):
    """A setting that a user can put right; the message is one line that names it, its value and what is allowed.

    It is a ValueError because msgspec turns a ValueError of `__post_init__` into its own ValidationError, which names
    the place in the JSON. Any other exception would pass through `decode` and `convert`.
    """


class DataError(ConfigError):
    """The data is missing, damaged or something else; the message is one line that says where and what to do."""
