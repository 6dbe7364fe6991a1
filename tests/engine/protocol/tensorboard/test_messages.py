"""Records and messages of event files, held to bytes that TensorBoard's own classes have written."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.protocol.tensorboard import messages, wire
from engine.protocol.tensorboard.crc import crc32c, masked_crc
from engine.protocol.tensorboard.messages import event, markdown, scalar, summary
from engine.protocol.tensorboard.records import MAX_RECORD, RecordError, framed, read_records

# Written by TensorBoard 2.21: RecordWriter, and SerializeToString of its classes for the six events below.
GOLDEN = bytes.fromhex(
    "1800000000000000a37f4b2209000000000000f83f1a0d627261696e2e4576656e743a322a28646c31000000000000009d8383e90900"
    "0000000000004010032a240a110a0a747261696e2f6c6f737315cdcccc3d0a0f0a08747261696e2f6c7215000020c07a7006cb380000"
    "0000000000a3797d5709000000000000044010ac022a2a0a280a036c6f6742170807120412020801420d6772c3b6c39f6572207c20ce"
    "b54a080a060a04746578747218f0720f000000000000006d532b0909000000000000084010053a020801a2cd61425f00000000000000"
    "503f28860900000000000010402a540a520a1c5f68706172616d735f2f73657373696f6e5f73746172745f696e666f4a320a300a0768"
    "706172616d7312251a230a100a03657073120911000000000000a03f2206616263313233290000000000000040f062fff54700000000"
    "000000bac3fb9b09000000000000224010052a3a0a380a1a5f68706172616d735f2f73657373696f6e5f656e645f696e666f4a1a0a18"
    "0a0768706172616d73120d220b080111000000000000224040a617f2"
)
EVENTS = (
    event(1.5, messages.file_version()),
    event(2.0, summary([scalar("train/loss", 0.1), scalar("train/lr", -2.5)]), step=3),
    event(2.5, summary([markdown("log", "größer | ε")]), step=300),
    event(3.0, messages.restart(), step=5),
    event(4.0, summary([messages.session_start({"eps": 0.03125, "alpha": None}, "abc123", 2.0)])),
    event(9.0, summary([messages.session_end(messages.SUCCESS, 9.0)]), step=5),
)


def test_files_are_those_of_tensorboard_byte_for_byte() -> None:
    assert b"".join(map(framed, EVENTS)) == GOLDEN


def test_records_are_read_back() -> None:
    assert tuple(read_records(io.BytesIO(GOLDEN))) == EVENTS


@pytest.mark.parametrize(
    ("data", "crc"),
    [  # RFC 3720, appendix B.4
        (bytes(32), 0x8A9136AA),
        (b"\xff" * 32, 0x62A8AB43),
        (bytes(range(32)), 0x46DD794E),
        (bytes(range(31, -1, -1)), 0x113FDB5C),
        (b"", 0),
    ],
)
def test_checksums_are_those_of_the_standard(data: bytes, crc: int) -> None:
    assert crc32c(data) == crc


@pytest.mark.parametrize("size", range(0, len(GOLDEN), 7))
def test_a_torn_record_counts_as_not_yet_written(size: int) -> None:
    found = [*read_records(io.BytesIO(GOLDEN[:size]))]
    assert found == [*EVENTS[: len(found)]]
    assert sum(len(record) + 16 for record in found) <= size


@given(st.integers(0, len(GOLDEN) - 1), st.integers(1, 255))
def test_a_changed_byte_is_found(place: int, change: int) -> None:
    damaged = bytearray(GOLDEN)
    damaged[place] ^= change
    with pytest.raises(RecordError, match=r"at byte|checksum"):
        [*read_records(io.BytesIO(damaged))]


def test_a_record_that_claims_a_huge_length_is_refused_before_it_is_read() -> None:
    length = (MAX_RECORD + 1).to_bytes(8, "little")
    head = length + masked_crc(length).to_bytes(4, "little")
    with pytest.raises(RecordError, match=r"has 67,108,865 bytes, more than 67,108,864"):
        [*read_records(io.BytesIO(head))]


@given(st.binary(max_size=200))
def test_any_bytes_are_a_message_or_refused(data: bytes) -> None:
    try:
        for _, value in wire.fields(data):
            assert isinstance(value, int | bytes)
    except RecordError:
        pass


@given(st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False), st.text())
def test_fields_come_back_as_they_were(number: int, decimal: float, text: str) -> None:
    data = wire.integer(1, number) + wire.double(3, decimal) + wire.text(300, text)
    found = dict(wire.fields(data))
    assert wire.as_integer(found[1]) == number
    assert wire.as_double(found[3]) == decimal
    assert wire.as_text(found[300]) == text.encode("utf-8", "replace").decode()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"\x0b", "unknown kind 3"),
        (b"\x0a\x05abc", "ends within a field"),
        (b"\x08" + b"\xff" * 10, "more than 64 bits"),
        (b"\x08\x80", "ends within a number"),
    ],
)
def test_a_wrong_message_is_refused_by_its_fault(data: bytes, said: str) -> None:
    with pytest.raises(RecordError, match=said):
        [*wire.fields(data)]


def test_a_number_too_large_for_32_bits_is_infinite() -> None:
    assert wire.as_single(dict(wire.fields(wire.single(2, -1e39)))[2]) == float("-inf")
