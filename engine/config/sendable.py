"""Text that can be sent to another process. Names of files and of tensors need not be valid Unicode."""


def sendable(text: str) -> str:
    """The text with every lone surrogate escaped (`\\udcff`), because JSON in UTF-8 cannot hold one."""
    return text.encode(errors="backslashreplace").decode()
