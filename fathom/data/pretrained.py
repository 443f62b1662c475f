"""Readers that were taught elsewhere: a folder with ``config.json``, ``model.safetensors`` and, for text, a vocabulary, as the hubs lay them out.

Nothing is fetched: a fit must give the same tomorrow, and without a network. A name such as ``BAAI/bge-small-en-v1.5`` is looked for among what Hugging Face's own tools have fetched.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fathom.data.cells.word_pieces import END, NOTHING, START, UNKNOWN, WordPieces
from fathom.errors import OptionError

CONFIG, WEIGHTS = "config.json", "model.safetensors"
LARGEST_CONFIG = 64 << 20  # bytes of a configuration or a vocabulary
LARGEST_WIDTH, LARGEST_LAYERS = 8_192, 100  # beyond which a configuration is taken for damaged


@dataclass(frozen=True)
class Pretrained:
    """What a folder holds: the ``encoder`` that its weights are for, with its ``options``, the ``kind`` of column that it reads, the text's ``pieces``, and the ``side`` of the pictures in pixels."""

    folder: Path
    encoder: str
    kind: str
    options: Mapping[str, Any] = field(default_factory=dict)
    pieces: WordPieces | None = None
    side: int = 0

    @property
    def weights(self) -> Path:
        """The file of the weights."""
        return self.folder / WEIGHTS


def find(wanted: str) -> Pretrained:
    """Look into a folder, or for a name among what has been fetched. Raises OptionError where nothing is there that can be read, with what to do."""
    folder = Path(wanted).expanduser()
    if not folder.is_dir():
        folder = _fetched(wanted)
    for name in (CONFIG, WEIGHTS):
        if not (folder / name).is_file():
            others = sorted(path.name for path in folder.iterdir())[:8]
            old = any(name.endswith((".bin", ".pth", ".pt", ".ckpt")) for name in others)
            raise OptionError(
                f"{folder} has no {name}; it holds {', '.join(others) or 'nothing'}. "
                + (
                    "Weights in a pickle can run code when they are opened, so Fathom opens none: save them as safetensors where you trust them (safetensors.torch.save_file)."
                    if old and name == WEIGHTS
                    else f"A pretrained reader is a folder with {CONFIG}, {WEIGHTS} and, for text, vocab.txt or tokenizer.json."
                )
            )
    config = _json(folder / CONFIG)
    if config.get("model_type") == "bert":
        return _bert(folder, config)
    architecture = str(config.get("architecture", ""))
    if architecture.removeprefix("tf_") == "efficientnet_lite0":
        return Pretrained(folder, "efficientnet_lite", "image", {}, side=_whole(config, "side", 224, 32, 1_024))
    named = architecture or config.get("model_type") or "nothing that Fathom knows"
    raise OptionError(
        f"{folder / CONFIG} describes {named!r}. Fathom reads text with BERT's architecture (BERT, MiniLM, BGE, E5, GTE) and pictures with EfficientNet-Lite0. Name one of these, or train a reader from the table alone."
    )


def _fetched(name: str) -> Path:
    """Return where Hugging Face's tools have put a model of this name. Raises OptionError where they have not."""
    home = Path(os.environ.get("HF_HOME", Path.home() / ".cache" / "huggingface"))
    hub = Path(os.environ.get("HF_HUB_CACHE", home / "hub"))
    snapshots = hub / f"models--{name.replace('/', '--')}" / "snapshots"
    if name.count("/") <= 1 and snapshots.is_dir():
        found = sorted((path for path in snapshots.iterdir() if path.is_dir()), key=lambda path: path.stat().st_mtime)
        if found:
            return found[-1]
    raise OptionError(
        f"There is no folder {name!r}, and no model of that name among those fetched before ({hub}). Fathom fetches nothing itself. With a network:  pip install huggingface_hub && hf download {name} "
        f"--local-dir weights  and then  --pretrained KIND=weights"
    )


def _bert(folder: Path, config: Mapping[str, Any]) -> Pretrained:
    options = {
        "body": _whole(config, "hidden_size", 0, 8, LARGEST_WIDTH),
        "inner": _whole(config, "intermediate_size", 0, 8, 4 * LARGEST_WIDTH),
        "layers": _whole(config, "num_hidden_layers", 0, 1, LARGEST_LAYERS),
        "heads": _whole(config, "num_attention_heads", 0, 1, 256),
        "places": _whole(config, "max_position_embeddings", 512, 8, 65_536),
        "kinds": _whole(config, "type_vocab_size", 2, 1, 64),
    }
    unlike = {"hidden_act": "gelu", "position_embedding_type": "absolute"}
    for name, known in unlike.items():
        if config.get(name, known) != known:
            raise OptionError(f"{folder / CONFIG} has {name} {config[name]!r}; Fathom reads {known!r} alone.")
    if options["body"] % options["heads"]:
        raise OptionError(f"{folder / CONFIG}: {options['heads']} heads do not share out a width of {options['body']}.")
    pieces = _pieces(folder)
    size = _whole(config, "vocab_size", pieces.size, 1, 1 << 24)
    if size < pieces.size:
        raise OptionError(f"{folder / CONFIG} counts {size:,} pieces of words, and its vocabulary has {pieces.size:,}.")
    return Pretrained(folder, "bert", "text", {**options, "codes": size}, pieces)


def _pieces(folder: Path) -> WordPieces:
    if (folder / "vocab.txt").is_file():
        words = _text(folder / "vocab.txt").rstrip("\n").replace("\r\n", "\n").split("\n")
    elif (folder / "tokenizer.json").is_file():
        found = _json(folder / "tokenizer.json").get("model", {}).get("vocab", {})
        words = sorted(found, key=lambda word: int(found[word])) if isinstance(found, dict) else []
    else:
        raise OptionError(
            f"{folder} has neither vocab.txt nor tokenizer.json, so its codes mean nothing. Fetch it whole."
        )
    if words[:1] != [NOTHING] or not {UNKNOWN, START, END} <= set(words) or any("\n" in word for word in words):
        raise OptionError(
            f"The vocabulary in {folder} is not one of word pieces: it must begin with {NOTHING} and have {UNKNOWN}, {START} and {END}."
        )
    settings = _json(folder / "tokenizer_config.json") if (folder / "tokenizer_config.json").is_file() else {}
    return WordPieces("\n".join(words), bool(settings.get("do_lower_case", True)))


def _whole(config: Mapping[str, Any], name: str, default: int, least: int, most: int) -> int:
    value = config.get(name, default)
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise OptionError(f"{CONFIG} has {name} {value!r}, where a whole number from {least} to {most:,} is expected.")
    return value


def _text(path: Path) -> str:
    if path.stat().st_size > LARGEST_CONFIG:
        raise OptionError(f"{path} has {path.stat().st_size:,} bytes; at most {LARGEST_CONFIG:,} are read.")
    try:
        return path.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise OptionError(f"{path} is not UTF-8 ({error.reason} at byte {error.start}). Fetch it again.") from None


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(_text(path))
    except (ValueError, RecursionError) as error:
        raise OptionError(f"{path} is not JSON ({type(error).__name__}: {error}). Fetch it again.") from None
    if not isinstance(found, dict):
        raise OptionError(f"{path} holds a {type(found).__name__}, where names with values are expected.")
    return found


__all__ = ["Pretrained", "find"]
