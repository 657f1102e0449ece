import torch

from affectory.layers.cra import CascadeResidualAutoencoder


def cascade(blocks: int = 2, *, transition: bool = False) -> CascadeResidualAutoencoder:
    torch.manual_seed(0)
    return CascadeResidualAutoencoder(in_features=6, widths=(5, 4, 3), blocks=blocks, transition=transition)


def test_the_imagination_is_the_input_plus_every_blocks_output():
    layer, h = cascade(3), torch.randn(2, 6)
    first = layer.decoders[0](layer.encoders[0](h))
    second = layer.decoders[1](layer.encoders[1](h + first))
    third = layer.decoders[2](layer.encoders[2](h + first + second))
    imagined, latents = layer(h)
    assert torch.allclose(imagined, h + first + second + third, atol=1e-6)
    assert torch.equal(latents[:, :3], layer.encoders[0](h)) and latents.shape == (2, 9) == (2, layer.out_latents)


def test_the_transition_reads_the_sum_and_leaves_the_latents_alone():
    plain, with_transition = cascade(), cascade(transition=True)
    with_transition.load_state_dict(plain.state_dict(), strict=False)
    h = torch.randn(2, 6)
    assert torch.equal(with_transition(h)[1], plain(h)[1])
    assert torch.allclose(with_transition(h)[0], with_transition.transition(plain(h)[0]))


def test_conditions_may_be_stacked_in_front():
    layer, h = cascade(), torch.randn(3, 2, 6)
    imagined, latents = layer(h)
    assert torch.allclose(imagined[1], layer(h[1])[0], atol=1e-6) and latents.shape == (3, 2, 6)


def test_the_last_layers_are_linear():
    layer = cascade(1)
    names = [type(step).__name__ for step in (*layer.encoders[0], *layer.decoders[0])]  # pyright: ignore[reportGeneralTypeIssues]
    assert names == ["Linear", "LeakyReLU"] * 2 + ["Linear"] + ["Linear", "ReLU"] * 2 + ["Linear"]
