"""The errors of the face, and the whole tree of what a user can put right. `except UserError` catches all of it.

Exception
    UserError                   a user can put it right: one line, exit code 2
        ConfigError             a setting or an option; a ValueError, too (engine/config/errors.py)
            DataError           a data set that is missing, damaged or another one
            SourceError         images that cannot be prepared as they are
        EngineError             the engine's process cannot start, or gave no answer
        HistoryError            the history cannot be written
        HomeError               the home folder cannot be used
        QueryError              a filter or a sort key that cannot be understood
        RunError                not possible with that run as it is now
        RunNotFoundError        no run, or more than one, has that name
    NewerSchemaError            the history was written by a later version of fastadv
"""

from engine.config.errors import UserError as UserError


class HomeError(UserError):
    """The home folder cannot be used."""
