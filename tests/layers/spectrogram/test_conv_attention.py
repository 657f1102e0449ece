import torch

from affectory.layers.spectrogram.conv_attention import ConvAttention
from affectory.layers.spectrogram.windows import window


def network() -> ConvAttention:
    torch.manual_seed(0)
    net = ConvAttention(channels=4).train()
    x = torch.randn(4, 30, 20)
    net(x, torch.ones(4, 30, dtype=torch.bool))  # statistics that are not those of a new layer
    return net.eval()


def test_a_row_is_the_same_in_every_window_that_holds_it():
    net, x = network(), torch.randn(2, 30, 20)
    mask = torch.arange(30) < torch.tensor([[18], [30]])
    alone, long = (net(*window(x[:1], mask[:1], steps=steps, crop="start", training=False)) for steps in (18, 94))
    together = net(*window(x, mask, steps=30, crop="start", training=False))
    assert torch.allclose(alone, long, atol=1e-6)
    assert torch.allclose(alone, together[:1], atol=1e-6)


def test_without_scores_it_is_the_mean_of_the_valid_steps():
    net, x = network(), torch.randn(1, 24, 20)
    mask = torch.arange(24)[None] < 17
    torch.nn.init.zeros_(net.score.weight)
    h = x[:, None, :17]
    for block in net.blocks:
        h = block(h)
    assert torch.allclose(net(x * mask[..., None], mask), h.mean((2, 3)), atol=1e-6)


def test_it_is_the_equation_written_out():
    net, x = network(), torch.randn(1, 24, 20)
    h = net.blocks(x[:, None])[0].mean(2).T  # [S, H]
    scores = torch.stack([net.score.weight[0] @ torch.tanh(net.keys.weight @ step + net.keys.bias) for step in h])
    expected = scores.softmax(0) @ h
    assert torch.allclose(net(x, torch.ones(1, 24, dtype=torch.bool))[0], expected, atol=1e-6)
