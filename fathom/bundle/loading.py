"""A bundle's weights become a network or baselines again, to prove parity and to go on from (torch, safetensors)."""

from collections.abc import Mapping
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
    """Build the network of a description and give it its weights."""
    from safetensors.torch import load

    from fathom.networks.network import Network, NetworkPlan

    assert description.plan is not None
    network = Network(NetworkPlan.from_json(description.plan))
    network.load_state_dict(load(weights))
    return network.eval()


def baseline_weights(fitted: Mapping[str, Fitted]) -> bytes:
    """Return what the baselines of all targets have learned as safetensors; names start with the target's number."""
    require("safetensors", "train")
    import numpy as np
    from safetensors.numpy import save

    return bytes(
        save(
            {
                f"{index}/{name}": np.ascontiguousarray(array)
                for index, one in enumerate(fitted.values())
                for name, array in one.arrays.items()
            }
        )
    )


def reload_baselines(description: Description, weights: bytes) -> dict[str, Fitted]:
    """Return each target's baseline from its arrays and settings."""
    from safetensors.numpy import load

    arrays = load(weights)
    reloaded = {}
    for index, column in enumerate(description.targets):
        entry = description.baselines[column.name]
        prefix = f"{index}/"
        own = {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
        reloaded[column.name] = Fitted(by_name(entry["name"]).NAME, entry["classes"], own, entry["settings"])
    return reloaded
