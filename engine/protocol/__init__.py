"""The protocol between processes: run directories, events, requests and answers, stop requests, atomic files."""
