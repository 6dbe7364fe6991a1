"""The user's own code in a configuration: the path of its file, and the fingerprint that the file has now.

The code is read here and never run.
"""

from pathlib import Path

from msgspec import structs

from engine.config.errors import ConfigError
from engine.config.run import RunConfig
from engine.config.user_code import fingerprint_of
from fastadv_tui.paths import typed_path


def with_user_code(config: RunConfig) -> RunConfig:
    """The configuration with the absolute path of the file of its network, and the fingerprint of the file.

    The engine runs in another working folder. Raises: ConfigError, if the file cannot be read, or if the configuration
    has the fingerprint of another file, such as that of a run that is repeated; UserError, as `typed_path`.
    """
    code = config.model.user_code
    if code is None:
        return config
    if code.in_file and not Path(code.source).is_absolute():
        code = code.at(typed_path(code.source))
    now = fingerprint_of(code.content())
    if config.model.code not in ("", now):
        raise ConfigError(
            f"{code.short} has changed ({config.model.code} in these settings, {now} now); restore the file, or leave "
            "model.code out to take it as it is"
        )
    return structs.replace(config, model=structs.replace(config.model, name=code.text, code=now))
