"""The gated layers of GATES, TA-GATES and FLAN against their equations, and what the passes can and cannot see."""

from __future__ import annotations

import torch

from predictors.kit.flow import Encoder, GatedAttention, GatedFlow, Mean, at_output

# input 0 -> 1 -> 3 output; node 2 hangs on the input and leads nowhere; node 4 is padding
ADJ = torch.zeros(1, 5, 5, dtype=torch.bool)
for i, j in ((0, 1), (1, 3), (0, 2)):
    ADJ[0, i, j] = True
MASK = torch.tensor([[True, True, True, True, False]])
OP = torch.tensor([[0, 2, 3, 1, 0]])
PARENTS = ADJ.float().mT


def at(encoder: Encoder, op: torch.Tensor, node: int = 3) -> torch.Tensor:
    return encoder(op, ADJ, MASK)[0, node]


def changed(node: int, op: int) -> torch.Tensor:
    other = OP.clone()
    other[0, node] = op
    return other


def test_gated_flow_is_its_equation():
    layer, x, op = GatedFlow(3, 2, 4), torch.randn(1, 5, 3), torch.randn(1, 5, 4)
    said = x[0] @ layer.info.weight.T
    gate = torch.sigmoid(op[0, 3] @ layer.gate.weight.T + layer.gate.bias)
    torch.testing.assert_close(layer(x, PARENTS, op)[0, 3], gate * said[1] + said[3] + layer.bias)
    torch.testing.assert_close(layer(x, PARENTS, op)[0, 0], said[0] + layer.bias)


def test_gated_attention_looks_at_parents_and_itself_alone():
    layer, x, op = GatedAttention(3, 4, 4), torch.randn(1, 5, 3), torch.randn(1, 5, 4)
    before = layer(x, PARENTS, op)[0, 3]
    for node, seen in ((0, False), (1, True), (2, False), (3, True), (4, False)):
        other = x.clone()
        other[0, node] += 1
        assert torch.allclose(layer(other, PARENTS, op)[0, 3], before, atol=1e-6) != seen, node
    said = x[0] @ layer.info.weight.T
    scores = torch.stack([(said[3] * said[j] * layer.score).sum() for j in (1, 3)])
    weight = torch.nn.functional.leaky_relu(scores, 0.2).softmax(0)
    gate = torch.sigmoid(op[0, 3] @ layer.gate.weight.T + layer.gate.bias)
    torch.testing.assert_close(before, layer.norm(gate * (weight[0] * said[1] + weight[1] * said[3])))


def test_the_output_is_the_last_real_node():
    mask = torch.tensor([[True, True, False], [True, True, True]])
    assert at_output(mask).tolist() == [[0, 1, 0], [0, 0, 1]]


def test_one_pass_carries_what_leads_to_the_output_and_only_that():
    torch.manual_seed(0)
    for layer in (GatedFlow, Mean):
        encoder = Encoder(4, 8, 3, 6, layer=layer)
        assert not torch.allclose(at(encoder, OP), at(encoder, changed(1, 3)))
        assert torch.equal(at(encoder, OP), at(encoder, changed(2, 2)))  # a dead end


def test_a_second_pass_tells_each_operation_what_follows_it():
    """The operation at node 1 is changed by the output's, which a single pass along the edges cannot tell it."""
    torch.manual_seed(0)
    for times, hears in ((1, False), (2, True)):
        encoder = Encoder(4, 32, 3, 6, times)
        assert torch.equal(at(encoder, OP, 1), at(encoder, changed(3, 2), 1)) != hears
