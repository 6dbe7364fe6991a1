"""The fingerprint of a run's code: of the engine's files, and of the user's own."""

from engine.protocol.provenance import combined_fingerprint


def test_code_of_the_users_own_enters_the_fingerprint() -> None:
    engine = "0123456789ab"
    assert combined_fingerprint(engine) == combined_fingerprint(engine, "", "") == engine
    found = {combined_fingerprint(engine, *own) for own in (["a"], ["b"], ["a", "b"], ["b", "a"], ["ab"], [])}
    assert len(found) == 6
    assert all(len(fingerprint) == 12 for fingerprint in found)


def test_an_unknown_engine_stays_unknown() -> None:
    assert combined_fingerprint("", "a") == ""
