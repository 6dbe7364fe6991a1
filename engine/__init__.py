"""The training engine of fastadv: a process of its own, and a library to load what it trained."""
