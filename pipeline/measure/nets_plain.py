"""Convolutional networks of full convolutions: AlexNet, VGG-16, ResNet-18, SqueezeNet 1.0, GoogLeNet.

The paper's own settings are those of torchvision, whose papers leave room: AlexNet is the one of "One weird trick"
(Krizhevsky 2014), GoogLeNet has batch normalisation and a 3x3 where the paper has a 5x5.
"""

from __future__ import annotations

from pipeline.measure.builder import INPUT, Builder, Settings


def alexnet(b: Builder, s: Settings) -> str:
    """Krizhevsky 2014 (arXiv:1404.5997). Varied: every width and kernel, the number of convolutions, hidden units."""
    x = b.relu(b.conv(INPUT, s.width(64), s.kernel(11, (5, 7, 9, 11)), 4, pad=2))
    x = b.relu(b.conv(b.pool(x), s.width(192), s.kernel(5)))
    x = b.pool(x)
    for width in s.stretch((384, 256, 256)):
        x = b.relu(b.conv(x, s.width(width), s.kernel(3)))
    return _dense(b, s, b.pool(x))


def vgg16(b: Builder, s: Settings) -> str:
    """Simonyan and Zisserman, ICLR 2015. Varied: every width, kernels (1 to 5), the depth of stages, hidden units."""
    x = INPUT
    for width, depth in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
        for _ in range(s.depth(depth)):
            x = b.relu(b.conv(x, s.width(width), s.kernel(3, (1, 3, 5))))
        x = b.pool(x, 2)
    return _dense(b, s, x)


def _dense(b: Builder, s: Settings, x: str) -> str:
    x = b.flatten(x)
    for _ in range(2):
        x = b.relu(b.linear(x, s.width(4096)))
    return b.linear(x, 1000)


def resnet18(b: Builder, s: Settings) -> str:
    """He et al., CVPR 2016. Varied: width of stages and inside blocks, kernels, the number of blocks of a stage."""
    return b.linear(b.flatten(b.mean(residual_stages(b, s)[-1])), 1000)


def residual_stages(b: Builder, s: Settings) -> list[str]:
    """What ResNet-18's four stages make, of 1/4 to 1/32 of the image's edge."""
    x = b.pool(b.relu(b.conv(INPUT, s.width(64), s.kernel(7), 2)), pad=1)
    made = []
    for stage, width in enumerate((64, 128, 256, 512)):
        channels_out = s.width(width)
        for block in range(s.depth(2)):
            stride = 2 if stage and not block else 1
            y = b.relu(b.conv(x, s.width(width), s.kernel(3), stride))
            y = b.conv(y, channels_out, s.kernel(3))
            if stride > 1 or b.channels(x) != channels_out:
                x = b.conv(x, channels_out, 1, stride)
            x = b.relu(b.add(y, x))
        made.append(x)
    return made


def squeezenet(b: Builder, s: Settings) -> str:
    """Iandola et al. 2016 (arXiv:1602.07360), version 1.0. Varied: all widths, the larger kernels, the fire modules."""
    x = b.relu(b.conv(INPUT, s.width(96), s.kernel(7, (3, 5, 7)), 2, pad=0))
    for stage in (((16, 64), (16, 64), (32, 128)), ((32, 128), (48, 192), (48, 192), (64, 256)), ((64, 256),)):
        x = b.pool(x, ceil=True)
        for squeeze, expand in s.stretch(stage):
            y = b.relu(b.conv(x, s.width(squeeze)))
            parts = b.conv(y, s.width(expand)), b.conv(y, s.width(expand), s.kernel(3))
            x = b.concat(*map(b.relu, parts))
    return b.flatten(b.mean(b.relu(b.conv(x, 1000))))


def googlenet(b: Builder, s: Settings) -> str:
    """Szegedy et al., CVPR 2015. Varied: the widths of all branches, the larger kernels, the modules of a stage."""
    x = b.pool(b.relu(b.conv(INPUT, s.width(64), s.kernel(7), 2)), ceil=True)
    x = b.relu(b.conv(b.relu(b.conv(x, s.width(64))), s.width(192), s.kernel(3)))
    for kernel, stage in zip((3, 3, 2), _INCEPTION, strict=True):
        x = b.pool(x, kernel, ceil=True)
        for one, *branches, after_pool in s.stretch(stage):
            parts = [b.conv(x, s.width(one))]
            for squeezed, channels_out in branches:
                parts.append(b.conv(b.relu(b.conv(x, s.width(squeezed))), s.width(channels_out), s.kernel(3)))
            parts.append(b.conv(b.pool(x, 3, 1, pad=1), s.width(after_pool)))
            x = b.concat(*map(b.relu, parts))
    return b.linear(b.flatten(b.mean(x)), 1000)


# Widths of 1x1, of reduction and 3x3, of reduction and 5x5 (3x3), of the 1x1 behind the pooling.
_INCEPTION = (
    ((64, (96, 128), (16, 32), 32), (128, (128, 192), (32, 96), 64)),
    (
        (192, (96, 208), (16, 48), 64),
        (160, (112, 224), (24, 64), 64),
        (128, (128, 256), (24, 64), 64),
        (112, (144, 288), (32, 64), 64),
        (256, (160, 320), (32, 128), 128),
    ),
    ((256, (160, 320), (32, 128), 128), (384, (192, 384), (48, 128), 128)),
)
