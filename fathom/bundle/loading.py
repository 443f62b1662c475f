"""A bundle's weights become a network or baselines again, to prove parity and to go on from (torch, safetensors)."""

from collections.abc import Mapping, Sequence
from typing import Any

from fathom.baselines import by_name
from fathom.baselines.contract import Fitted
from fathom.bundle.description import Description
from fathom.errors import require


def network_weights(network: Any) -> bytes:
    """Return a network's weights as safetensors."""
    require("safetensors", "train")
    from safetensors.torch import save

    return bytes(save({name: weight.contiguous() for name, weight in network.state_dict().items()}))


def reload_network(description: Description, weights: bytes) -> Any:
    """Build the network of a description, or its committee of networks, and give it its weights."""
    from safetensors.torch import load

    from fathom.networks.committee import built
    from fathom.networks.network import NetworkPlan

    assert description.plan is not None
    network = built(NetworkPlan.from_json(description.plan))
    network.load_state_dict(load(weights))
    return network.eval()


def baseline_weights(fits: Sequence[Mapping[str, Fitted]]) -> bytes:
    """Return what the baselines of all targets have learned in each fit as safetensors; names start with the numbers of the fit and of the target."""
    require("safetensors", "train")
    import numpy as np
    from safetensors.numpy import save

    return bytes(
        save(
            {
                f"{number}/{index}/{name}": np.ascontiguousarray(array)
                for number, fitted in enumerate(fits)
                for index, one in enumerate(fitted.values())
                for name, array in one.arrays.items()
            }
        )
    )


def reload_baselines(description: Description, weights: bytes) -> list[dict[str, Fitted]]:
    """Return each target's baseline from its arrays and settings, fit after fit."""
    from safetensors.numpy import load

    arrays = load(weights)
    count = len(next(iter(description.baselines.values()))["settings"])
    fits: list[dict[str, Fitted]] = [{} for _ in range(count)]
    for number, fitted in enumerate(fits):
        for index, column in enumerate(description.targets):
            entry = description.baselines[column.name]
            prefix = f"{number}/{index}/"
            own = {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
            fitted[column.name] = Fitted(by_name(entry["name"]).NAME, entry["classes"], own, entry["settings"][number])
    return fits
