"""The device that models are trained on."""

from typing import TYPE_CHECKING

import dagster as dg

if TYPE_CHECKING:
    import torch


class Compute(dg.ConfigurableResource):
    """`device`: `auto` (a GPU where there is one), `cpu`, `cuda` or `cuda:<n>`; `threads` 0: torch's choice."""

    device: str = "auto"
    threads: int = 1

    def torch_device(self) -> "torch.device":
        """The device, with torch's threads set; ValueError, with the remedy, when it is not there."""
        import torch

        if self.threads:
            torch.set_num_threads(self.threads)
        if self.device == "auto":
            return torch.device("cuda" if torch.cuda.is_available() else "cpu")
        try:
            device = torch.device(self.device)
        except RuntimeError:
            raise ValueError(f"device {self.device!r}: expected auto, cpu, cuda or cuda:<n>") from None
        if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
            raise ValueError(
                f"device {self.device!r} was asked for and torch sees {torch.cuda.device_count()} CUDA devices: check "
                "`nvidia-smi` and CUDA_VISIBLE_DEVICES, or set the device to auto or cpu"
            )
        return device
