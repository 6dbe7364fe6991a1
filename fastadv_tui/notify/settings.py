"""The settings of notifications: `notify.toml` in the home folder. Only its owner can read it: URLs hold secrets."""

import re
import tomllib
from typing import Annotated, Literal
from urllib.parse import SplitResult, urlsplit

import msgspec
from msgspec import Meta, Struct

from engine.config.typed import convert
from engine.protocol.files import write_atomic
from fastadv_tui.errors import UserError
from fastadv_tui.paths import ensure_home, notify_path

Event = Literal["end", "fail", "stall", "alarm"]
EVENTS: tuple[Event, ...] = ("end", "fail", "stall", "alarm")
NTFY = "https://ntfy.sh"  # the server of a topic that is typed without one
TOPIC = re.compile(r"[-_A-Za-z0-9]{1,64}")


class NotifySettings(Struct, forbid_unknown_fields=True, kw_only=True):
    """on: the events that are told: a run ends, fails, stalls, or raises an alarm.

    command: a line for the shell. ntfy, webhook: URLs. Empty: no such target. at_most: notifications a minute of all
    runs together.
    """

    enabled: bool = True
    on: tuple[Event, ...] = EVENTS
    command: str = ""
    ntfy: str = ""
    webhook: str = ""
    at_most: Annotated[int, Meta(ge=1, le=1000)] = 5

    @property
    def targets(self) -> dict[str, str]:
        """The targets by kind."""
        every = {"command": self.command, "ntfy": self.ntfy, "webhook": self.webhook}
        return {kind: target for kind, target in every.items() if target}


def load() -> NotifySettings | None:
    """The settings; None if there are none. Raises: UserError, which names the file and no value in it."""
    try:
        return convert(tomllib.loads(notify_path().read_text()), NotifySettings)
    except FileNotFoundError:
        return None
    except msgspec.ValidationError as error:
        raise UserError(f"{notify_path()}: {error}; correct the file, or remove it") from None
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        problem = error.strerror if isinstance(error, OSError) else "it is no TOML file"
        raise UserError(f"{notify_path()} cannot be read ({problem}); correct the file, or remove it") from None


def save(settings: NotifySettings) -> None:
    """Write the settings, for their owner's eyes only. Raises: UserError."""
    import tomlkit  # imported late: whoever sends a notification only reads

    ensure_home()
    try:
        write_atomic(notify_path(), tomlkit.dumps(msgspec.to_builtins(settings)).encode())
    except OSError as error:
        raise UserError(f"cannot write {notify_path()} ({error.strerror or error}); check its folder") from None


def open_to_others() -> bool:
    """Whether other users of the machine may read the file: it was made by hand, or its mode was changed."""
    try:
        return bool(notify_path().stat().st_mode & 0o077)
    except OSError:
        return False


def ntfy_url(typed: str) -> str:
    """The URL of a topic that is typed as a URL or as its name alone. Raises: UserError, as `checked_url`."""
    url = checked_url(typed if "/" in typed else f"{NTFY}/{typed}", "ntfy")
    if not TOPIC.fullmatch(urlsplit(url).path.rpartition("/")[2]):
        raise UserError(
            "--ntfy: write a topic of letters, digits, - and _, such as my-runs-x7f2, or https://HOST/TOPIC"
        )
    return url


def checked_url(typed: str, option: str) -> str:
    """A URL that can be posted to. Raises: UserError, which does not repeat the URL: errors may end up in logs."""
    try:
        parts: SplitResult | None = urlsplit(typed)
        known = parts is not None and parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        parts, known = None, False
    if not known or not typed.isprintable() or not typed.isascii() or " " in typed:
        raise UserError(f"--{option}: write a URL that begins with https:// or http://")
    if parts is not None and parts.username is not None:
        raise UserError(f"--{option}: no user and password can be in the URL; use a token in its path or after ?")
    return typed
