"""Everything that two processes say to each other: run directories, events, requests, files."""
