import torch

from affectory.layers.autoencoder import ImaginationAutoencoder


def autoencoder() -> ImaginationAutoencoder:
    torch.manual_seed(0)
    return ImaginationAutoencoder(in_features=6, widths=(5, 4, 3))


def test_it_narrows_and_widens_with_leaky_relu_and_ends_in_relu():
    layer = autoencoder()
    shapes = [
        tuple(step.weight.shape) for step in (*layer.encoder, *layer.decoder) if isinstance(step, torch.nn.Linear)
    ]
    assert shapes == [(5, 6), (4, 5), (3, 4), (4, 3), (5, 4), (6, 5)]
    names = [type(step).__name__ for step in (*layer.encoder, *layer.decoder)]
    assert names == ["Linear", "LeakyReLU"] * 5 + ["Linear", "ReLU"]


def test_one_layer_of_each_by_hand():
    layer = ImaginationAutoencoder(in_features=2, widths=(1,))
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.fill_(1.0 if parameter.ndim > 1 else 0.0)
    imagined, latents = layer(torch.tensor([[1.0, 2.0], [-1.0, -2.0]]))
    assert torch.allclose(latents, torch.tensor([[3.0], [-0.03]]))  # the slope of LeakyReLU is 0.01
    assert torch.allclose(imagined, torch.tensor([[3.0, 3.0], [0.0, 0.0]]))


def test_conditions_may_be_stacked_in_front():
    layer, h = autoencoder(), torch.randn(3, 2, 6)
    imagined, latents = layer(h)
    assert imagined.shape == h.shape and latents.shape == (3, 2, layer.out_latents) == (3, 2, 3)
    assert torch.allclose(imagined[1], layer(h[1])[0], atol=1e-6)


def test_every_parameter_gets_a_gradient():
    layer = autoencoder()
    imagined, latents = layer(torch.randn(16, 6))
    (imagined.sum() + latents.sum()).backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in layer.parameters())
