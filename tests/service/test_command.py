"""``fathom serve`` as a person meets it: what stops it before it starts."""

import importlib.util
import socket

import pytest


def test_what_cannot_be_served_is_said_in_a_sentence(command, late_run, tmp_path):
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "short").write_text("secret\n")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        for arguments, words in (
            (("nowhere",), "There is no bundle at nowhere"),
            ((late_run, late_run), "Two models are named 'late'"),
            ((late_run, "--port", port), f"Port {port} of 127.0.0.1 cannot be listened on"),
            ((late_run, "--record", tmp_path / "no" / "rows.sqlite"), f"there is no folder {tmp_path / 'no'}. Make it"),
            (
                (late_run, "--record", tmp_path),
                f"is a folder. Name a file in it: --record {tmp_path / 'requests.sqlite'}",
            ),
            ((late_run, "--log", "loud"), "--log is 'loud'. It is all, events or off."),
            ((late_run, "--token-file", tmp_path / "none"), "cannot be read"),
            ((late_run, "--token-file", tmp_path / "empty"), "holds no token"),
            ((late_run, "--token-file", tmp_path / "short"), "A token has 16 letters or more"),
        ):
            more = () if "--port" in arguments else ("--port", 0)
            outcome = command("serve", *arguments, *more)
            assert outcome.code == 2, arguments
            assert words in outcome.err, arguments
            assert "secret" not in outcome.err


def test_without_the_extra_its_name_is_said(command, late_run, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "uvicorn" else find(name))
    outcome = command("serve", late_run)
    assert outcome.code == 2
    assert 'pip install "fathom-learn[serve]"' in outcome.err


@pytest.mark.parametrize("variable", ["FATHOM_TOKEN", "FATHOM_ADMIN_TOKEN"])
def test_a_token_comes_from_the_environment(command, late_run, monkeypatch, variable):
    monkeypatch.setenv(variable, "weak")
    assert "A token has 16 letters or more" in command("serve", late_run, "--port", 0).err
