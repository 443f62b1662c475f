"""A service as a person would write it by hand: FastAPI, pydantic and the same network in torch, a request at a time. What `bench/serve.py` compares with.

It is given the columns' scales in JSON and does with them what Fathom does, in as few lines as it takes: numbers along landmarks, words by a dictionary.

::

    python -m bench.plain_service FOLDER PORT
"""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
import uvicorn
from fastapi import FastAPI
from pydantic import create_model

from fathom.bundle import manifest
from fathom.bundle.description import Description
from fathom.bundle.loading import reload_network
from fathom.data.modalities import MODALITIES


def application(folder: Path) -> FastAPI:
    """Return the service."""
    torch.set_num_threads(1)
    files = manifest.read(folder / "run")
    description = Description.from_bytes(files["model.json"], MODALITIES)
    network = reload_network(description, files["weights.safetensors"])
    plan = json.loads((folder / "columns.json").read_text())
    numbers = [(name, np.array(places), np.array(scores)) for name, places, scores in plan["numbers"]]
    words = [(name, dict(codes)) for name, codes in plan["words"]]
    row_type = create_model(
        "Row", **{name: (float, ...) for name, _, _ in numbers}, **{name: (str, ...) for name, _ in words}
    )
    answer_type = create_model("Answer", answer=(str, ...), probability=(float, ...))
    service = FastAPI()

    def predict(row: Any) -> Any:
        scalar = [np.interp(getattr(row, name), places, scores) for name, places, scores in numbers]
        code = [codes.get(getattr(row, name), 1) for name, codes in words]
        arrays = {
            "scalar": torch.tensor([scalar], dtype=torch.float32),
            "code": torch.tensor([code], dtype=torch.int32),
        }
        with torch.inference_mode():
            chances = next(iter(network.answer(arrays).values()))[0]
        best = int(chances.argmax())
        return answer_type(answer=plan["classes"][best], probability=float(chances[best]))

    predict.__annotations__ = {"row": row_type, "return": answer_type}
    service.post("/predict")(predict)
    return service


if __name__ == "__main__":
    uvicorn.run(application(Path(sys.argv[1])), port=int(sys.argv[2]), log_level="warning")
