import pytest
import torch

from resources.compute import Compute


def test_auto_is_the_gpu_where_there_is_one():
    assert Compute().torch_device().type == ("cuda" if torch.cuda.is_available() else "cpu")


def test_the_cpu_can_be_asked_for_with_its_threads():
    before = torch.get_num_threads()
    try:
        assert Compute(device="cpu", threads=1).torch_device() == torch.device("cpu")
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)


def test_a_gpu_that_is_not_there_is_an_error_with_the_remedy():
    with pytest.raises(ValueError, match=r"'cuda:99' was asked for and torch sees .*nvidia-smi.*set"):
        Compute(device="cuda:99").torch_device()


def test_a_device_that_is_none_is_named():
    with pytest.raises(ValueError, match="device 'gpu0': expected auto, cpu, cuda"):
        Compute(device="gpu0").torch_device()


@pytest.mark.gpu
def test_cuda_is_the_first_gpu():
    assert Compute(device="cuda").torch_device().type == "cuda"
