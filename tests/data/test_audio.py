"""Recordings are heard alike in every format, at every rate; broken ones are named, long ones read in part."""

import io
import struct

import numpy as np
import pyarrow as pa
import pytest
import torch

import fathom
from fathom.baselines import constant, linear
from fathom.data.cells import media, sounds
from fathom.data.modalities import audio
from fathom.data.table import Table
from fathom.errors import TableError

soundfile = pytest.importorskip("soundfile")


def tone(pitch=440.0, seconds=0.5, rate=16_000, loud=0.5):
    time = np.arange(int(seconds * rate)) / rate
    return (loud * np.sin(2 * np.pi * pitch * time)).astype(np.float32)


def packed(wave, rate=16_000, kind="WAV", subtype=None):
    held = io.BytesIO()
    soundfile.write(held, wave, rate, format=kind, subtype=subtype)
    return held.getvalue()


@pytest.mark.parametrize("kind", ["WAV", "FLAC", "OGG", "MP3", "AIFF"])
def test_every_format_is_told_by_its_bytes_and_heard(kind):
    cell = packed(tone(seconds=1.0), kind=kind)
    assert sounds.format_of(cell[:64]) == kind
    wave, rate = sounds.read(cell)
    assert rate == 16_000
    assert np.abs(wave).max() == pytest.approx(0.5, abs=0.06)


def test_a_mel_band_is_a_triangle_whose_weights_add_up_to_one():
    weights = sounds.filters(16_000, 8_000.0)
    assert weights.shape == (40, 257)
    np.testing.assert_allclose(weights.sum(axis=1), 1, rtol=1e-5)
    edges = 700 * (10 ** (np.linspace(sounds.mel(40.0), sounds.mel(8_000.0), 42) / 2595) - 1)
    peaks = weights.argmax(axis=1) * 16_000 / 512
    assert (np.abs(peaks - edges[1:-1]) <= 16_000 / 512).all()


def test_loudness_is_what_the_transform_of_torch_says():
    wave = np.random.default_rng(0).normal(0, 0.1, 16_000).astype(np.float32)
    heard = sounds.loudness(wave, 16_000, 8_000.0)
    window = torch.hann_window(512, dtype=torch.float64)
    spectrum = torch.stft(torch.from_numpy(wave).double(), 512, 256, window=window, center=False, return_complex=True)
    power = (spectrum.abs() ** 2 * 4 / window.sum() ** 2).T.numpy() @ sounds.filters(16_000, 8_000.0).T.astype(
        np.float64
    )
    expected = 1 + 2 * (10 * np.log10(power) + 100)
    assert np.abs(heard[: len(expected), 2:] - expected).max() < 0.51  # a byte is rounded


def test_a_tone_sounds_alike_at_every_rate():
    state = audio.learn(pa.array([packed(tone())] * 3))
    rates = (16_000, 22_050, 44_100, 48_000)
    values = pa.array([packed(tone(rate=rate), rate) for rate in rates])
    heard = audio.encode(state, values)[:, 5, 1:] * np.array(state.spread) + np.array(state.centre)
    loud = heard.argmax(axis=1)
    assert (loud == loud[0]).all()
    assert np.ptp(heard.max(axis=1)) <= 2  # a decibel


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        (b"", "it holds no bytes"),
        (b"Dear diary, today it rained.", "those of no WAV"),
        (b"\x89PNG\r\n\x1a\n" + bytes(50), "those of no WAV"),
        (packed(tone())[:20], "it is damaged"),
        (packed(tone(), kind="FLAC")[:60], "it is damaged"),
        (packed(np.zeros(0, np.float32)), "no sample of sound"),
    ],
    ids=["empty", "text", "a picture", "cut in its head", "cut FLAC", "no samples"],
)
def test_what_cannot_be_heard_says_why_and_is_nothing(cell, words):
    state = audio.learn(pa.array([packed(tone())]))
    values = pa.array([packed(tone()), cell], pa.binary())
    settled, marks = audio.settle(state, values, lambda done: None)
    assert marks.tolist() == [False, True]
    assert words in audio.fault(state, cell)
    assert not audio.encode(state, values)[1].any()
    assert not audio.encode(state, settled)[1].any()


def test_a_recording_cut_short_is_heard_as_far_as_it_goes():
    whole = packed(tone(seconds=1.0))
    state = audio.learn(pa.array([whole]))
    encoded = audio.encode(state, pa.array([whole, whole[: len(whole) // 2]]))
    assert encoded[1, :, 0].sum() == pytest.approx(encoded[0, :, 0].sum() / 2, abs=2)


def test_silence_and_samples_that_are_no_numbers_are_heard_as_silence():
    broken = tone()
    broken[100:] = np.nan
    state = audio.learn(pa.array([packed(tone())]))
    values = pa.array([packed(np.zeros(8_000, np.float32)), packed(broken, subtype="FLOAT")])
    encoded = audio.encode(state, values)
    assert np.isfinite(encoded).all()
    assert (encoded[:, :, 0].sum(axis=1) >= 30).all()
    assert np.isfinite(audio.features(state, values).matrix).all()


def test_a_name_that_lies_does_not_matter(tmp_path):
    (tmp_path / "a.mp3").write_bytes(packed(tone(), kind="FLAC"))
    values = media.cells(["a.mp3"], str(tmp_path))
    assert audio.claim(values).confidence > 0.9
    assert audio.encode(audio.learn(values), values)[0, :, 0].sum() > 20


def test_of_ten_hours_half_a_minute_is_read(tmp_path):
    rate, seconds = 8_000, 36_000
    size = 2 * rate * seconds
    head = b"RIFF" + struct.pack("<I", 36 + size) + b"WAVE"
    head += struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, rate, 2 * rate, 2, 16) + b"data" + struct.pack("<I", size)
    with (tmp_path / "long.wav").open("wb") as file:
        file.write(head)
        file.truncate(len(head) + size)  # sparse: it holds no blocks
    values = media.cells(["long.wav"], str(tmp_path))
    state = audio.learn(values)
    assert state.seconds <= 31
    wave, _ = sounds.read(values[0].as_py(), state.seconds)
    assert len(wave) <= 31 * rate
    assert audio.encode(state, values).shape[1] <= 192


def folder(tmp_path, rows=60):
    generator = np.random.default_rng(0)
    for place in range(rows):
        kind = "high" if place % 2 else "low"
        (tmp_path / kind).mkdir(exist_ok=True)
        wave = tone(
            generator.uniform(1_500, 3_000) if place % 2 else generator.uniform(150, 500), generator.uniform(0.1, 0.3)
        )
        (tmp_path / kind / f"{place}.wav").write_bytes(
            packed(wave + generator.normal(0, 0.01, len(wave)).astype(np.float32))
        )
    return tmp_path


def test_a_folder_of_sounds_is_fitted_answered_and_played_in_the_report(tmp_path):
    sounds_of = folder(tmp_path / "tones" if (tmp_path / "tones").mkdir() is None else tmp_path)
    model = fathom.fit(str(sounds_of), "folder", effort="quick", epochs=4, keep="network", baselines=(constant, linear))
    seen = model.result["training"]["seen"][0]
    assert seen["column"] == "file" and len(seen["rows"]) == 6 and len(set(seen["rows"][0])) == 6
    (column,) = [column for column in model.columns if column.role == "input" and column.kind]
    assert column.modality == "audio"
    answers = fathom.load(model.save(tmp_path / "bundle")).predict(str(sounds_of))
    assert answers.arrow.equals(model.predict(str(sounds_of)).arrow)
    page = model.report(tmp_path / "report.html").read_text()
    assert page.count('<audio controls preload="none" src="data:audio/wav;base64,') >= 4
    assert len(page) < 3_000_000


def test_text_in_place_of_a_recording_is_named_by_its_row(tmp_path):
    (tmp_path / "tones").mkdir()
    sounds_of = folder(tmp_path / "tones")
    (sounds_of / "low" / "0.wav").write_text("not a sound")
    with pytest.raises(TableError, match=r"0\.wav.*those of no WAV"):
        fathom.fit(str(sounds_of), "folder", effort="quick", epochs=1, baselines=(constant,))


def test_bytes_in_a_column_are_recordings_too():
    values = pa.array([packed(tone()), None, packed(tone(880.0))], pa.binary())
    table = Table.of({"sound": values})
    assert audio.claim(table.column("sound")).confidence > 0.9
    assert audio.missing(values).tolist() == [False, True, False]
