"""The names that detectors' checkpoints are made of, and what may be done with each.

A class is made by unpickling without its constructor, its attributes then come from the file. A
function is called with values of the file, so it must be harmless whatever it is given. Plain
names (number types, storages) may stand anywhere. Nothing else is needed by any checkpoint that
PyTorch and Ultralytics write of a detector; whole modules are never allowed, since each also holds
functions that load, download or run something.

A constructor may not be called: that of Ultralytics' DetectionModel, given a network's description,
evaluates text in it as Python.

tests/backends/weights/test_detector_names.py compares the list with the installed libraries; it
prints what
an update of them adds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from .pickled_names import How, Use

# Subclasses of torch.nn.Module, by the module that defines them.
NETWORK_PARTS: Mapping[str, str] = {
    "torch.nn.modules.activation": """
        CELU ELU GELU GLU Hardshrink Hardsigmoid Hardswish Hardtanh LeakyReLU LogSigmoid
        LogSoftmax Mish MultiheadAttention PReLU RReLU ReLU ReLU6 SELU SiLU Sigmoid Softmax
        Softmax2d Softmin Softplus Softshrink Softsign Tanh Tanhshrink Threshold
    """,
    "torch.nn.modules.adaptive": "AdaptiveLogSoftmaxWithLoss",
    "torch.nn.modules.batchnorm": """
        BatchNorm1d BatchNorm2d BatchNorm3d LazyBatchNorm1d LazyBatchNorm2d LazyBatchNorm3d
        SyncBatchNorm _BatchNorm _LazyNormBase _NormBase
    """,
    "torch.nn.modules.channelshuffle": "ChannelShuffle",
    "torch.nn.modules.container": "ModuleDict ModuleList ParameterDict ParameterList Sequential",
    "torch.nn.modules.conv": """
        Conv1d Conv2d Conv3d ConvTranspose1d ConvTranspose2d ConvTranspose3d LazyConv1d
        LazyConv2d LazyConv3d LazyConvTranspose1d LazyConvTranspose2d LazyConvTranspose3d
        _ConvNd _ConvTransposeMixin _ConvTransposeNd
    """,
    "torch.nn.modules.distance": "CosineSimilarity PairwiseDistance",
    "torch.nn.modules.dropout": """
        AlphaDropout Dropout Dropout1d Dropout2d Dropout3d FeatureAlphaDropout _DropoutNd
    """,
    "torch.nn.modules.flatten": "Flatten Unflatten",
    "torch.nn.modules.fold": "Fold Unfold",
    "torch.nn.modules.instancenorm": """
        InstanceNorm1d InstanceNorm2d InstanceNorm3d LazyInstanceNorm1d LazyInstanceNorm2d
        LazyInstanceNorm3d _InstanceNorm
    """,
    "torch.nn.modules.linear": """
        Bilinear Identity LazyLinear Linear NonDynamicallyQuantizableLinear
    """,
    "torch.nn.modules.loss": """
        BCELoss BCEWithLogitsLoss CTCLoss CosineEmbeddingLoss CrossEntropyLoss
        GaussianNLLLoss HingeEmbeddingLoss HuberLoss KLDivLoss L1Loss LinearCrossEntropyLoss
        MSELoss MarginRankingLoss MultiLabelMarginLoss MultiLabelSoftMarginLoss
        MultiMarginLoss NLLLoss PoissonNLLLoss SmoothL1Loss SoftMarginLoss TripletMarginLoss
        TripletMarginWithDistanceLoss _Loss _WeightedLoss
    """,
    "torch.nn.modules.module": "Module",
    "torch.nn.modules.normalization": "CrossMapLRN2d GroupNorm LayerNorm LocalResponseNorm RMSNorm",
    "torch.nn.modules.padding": """
        CircularPad1d CircularPad2d CircularPad3d ConstantPad1d ConstantPad2d ConstantPad3d
        ReflectionPad1d ReflectionPad2d ReflectionPad3d ReplicationPad1d ReplicationPad2d
        ReplicationPad3d ZeroPad1d ZeroPad2d ZeroPad3d _CircularPadNd _ConstantPadNd
        _ReflectionPadNd _ReplicationPadNd
    """,
    "torch.nn.modules.pixelshuffle": "PixelShuffle PixelUnshuffle",
    "torch.nn.modules.pooling": """
        AdaptiveAvgPool1d AdaptiveAvgPool2d AdaptiveAvgPool3d AdaptiveMaxPool1d
        AdaptiveMaxPool2d AdaptiveMaxPool3d AvgPool1d AvgPool2d AvgPool3d
        FractionalMaxPool2d FractionalMaxPool3d LPPool1d LPPool2d LPPool3d MaxPool1d
        MaxPool2d MaxPool3d MaxUnpool1d MaxUnpool2d MaxUnpool3d _AdaptiveAvgPoolNd
        _AdaptiveMaxPoolNd _AvgPoolNd _LPPoolNd _MaxPoolNd _MaxUnpoolNd
    """,
    "torch.nn.modules.rnn": "GRU GRUCell LSTM LSTMCell RNN RNNBase RNNCell RNNCellBase",
    "torch.nn.modules.sparse": "Embedding EmbeddingBag",
    "torch.nn.modules.transformer": """
        Transformer TransformerDecoder TransformerDecoderLayer TransformerEncoder
        TransformerEncoderLayer
    """,
    "torch.nn.modules.upsampling": "Upsample UpsamplingBilinear2d UpsamplingNearest2d",
    "ultralytics.nn.modules.activation": "AGLU",
    "ultralytics.nn.modules.block": """
        A2C2f AAttn ABlock AConv ADown Attention BNContrastiveHead Bottleneck BottleneckCSP
        C1 C2 C2PSA C2f C2fAttn C2fCIB C2fPSA C3 C3Ghost C3TR C3f C3k C3k2 C3x CBFuse
        CBLinear CIB ContrastiveHead DFL ELAN1 GhostBottleneck HGBlock HGStem
        ImagePoolingAttn MaxSigmoidAttnBlock PSA PSABlock Proto Proto26 RealNVP
        RepBottleneck RepC3 RepCSP RepNCSPELAN4 RepVGGDW ResNetBlock ResNetLayer Residual
        SAVPE SCDown SPP SPPELAN SPPF SwiGLUFFN TorchVision
    """,
    "ultralytics.nn.modules.conv": """
        CBAM ChannelAttention Concat Conv Conv2 ConvTranspose DWConv DWConvTranspose2d Focus
        GhostConv Index LightConv RepConv SpatialAttention
    """,
    "ultralytics.nn.modules.head": """
        Classify Depth Detect LRPCHead OBB OBB26 Pose Pose26 RTDETRDecoder Segment Segment26
        SemanticSegment WorldDetect YOLOEDetect YOLOESegment YOLOESegment26 v10Detect
    """,
    "ultralytics.nn.modules.transformer": """
        AIFI DeformableTransformerDecoder DeformableTransformerDecoderLayer LayerNorm2d MLP
        MLPBlock MSDeformAttn TransformerBlock TransformerEncoderLayer TransformerLayer
    """,
    "ultralytics.nn.tasks": """
        BaseModel ClassificationModel DepthModel DetectionModel Ensemble OBBModel PoseModel
        RTDETRDetectionModel SegmentationModel SemanticSegmentationModel WorldModel
        YOLOEModel YOLOESegModel
    """,
}

# How Ultralytics names them in older checkpoints; what it makes of these names itself.
OLDER_PARTS: Mapping[str, str] = {
    "ultralytics.nn.modules": """
        C1 C2 C3 C2f C3x C3TR C3Ghost Bottleneck BottleneckCSP SPP SPPF DFL Proto Conv Conv2
        DWConv DWConvTranspose2d ConvTranspose LightConv RepConv GhostConv GhostBottleneck
        Focus Concat Detect HGBlock HGStem RepC3 RTDETRDecoder
    """,
    "ultralytics.nn.modules.block": "Silence",
    "ultralytics.nn.tasks": "YOLOv10DetectionModel",
}

# Goes along in checkpoints that a training goes on from; no subclass of Module need be.
TRAINING_PARTS: Mapping[str, str] = {
    "ultralytics.utils.loss": """
        BboxLoss DFLoss E2EDetectLoss E2ELoss FocalLoss RotatedBboxLoss VarifocalLoss
        v10DetectLoss v8DetectionLoss
    """,
    "ultralytics.utils.tal": "RotatedTaskAlignedAssigner TaskAlignedAssigner",
}

CALLABLE: Mapping[str, str] = {
    "_codecs": "encode",
    "builtins": "bytearray complex frozenset set slice",
    "collections": "OrderedDict",
    "numpy": "dtype",
    "numpy.core.multiarray": "scalar",
    "numpy._core.multiarray": "scalar",
    "pathlib": "PosixPath PurePosixPath PureWindowsPath WindowsPath",
    "pathlib._local": "PosixPath PurePosixPath PureWindowsPath WindowsPath",
    "torch": "Size device",
    "torch._utils": """
        _rebuild_parameter _rebuild_parameter_with_state _rebuild_tensor _rebuild_tensor_v2
    """,
    "ultralytics.utils": "IterableSimpleNamespace",
    "ultralytics.yolo.utils": "IterableSimpleNamespace",
}

PLAIN: Mapping[str, str] = {
    "torch": """
        BFloat16Storage BoolStorage ByteStorage CharStorage ComplexDoubleStorage
        ComplexFloatStorage DoubleStorage FloatStorage HalfStorage IntStorage LongStorage
        ShortStorage bfloat16 bool complex128 complex64 float16 float32 float64 int16 int32 int64
        int8 uint8
    """,
}


def _names(table: Mapping[str, str]) -> frozenset[str]:
    return frozenset(
        f"{module}.{name}" for module, names in table.items() for name in names.split()
    )


CLASSES = _names(NETWORK_PARTS) | _names(OLDER_PARTS) | _names(TRAINING_PARTS)
FUNCTIONS = _names(CALLABLE)
VALUES = _names(PLAIN)
_ALLOWED = {
    How.IMPORTED: CLASSES | FUNCTIONS | VALUES,
    How.MADE: CLASSES | FUNCTIONS,
    How.CALLED: FUNCTIONS,
    How.KEPT: VALUES,
}


def foreign(uses: Iterable[Use]) -> dict[str, str]:
    """Names that no detector needs → where they stand.

    A known class that is called reads 'called:NAME', one that is put into the result 'kept:NAME'.
    """
    found: dict[str, str] = {}
    for use in uses:
        known = use.name in _ALLOWED[How.IMPORTED]
        if not known:
            found.setdefault(use.name, use.place)
        elif use.name not in _ALLOWED[use.how]:
            found.setdefault(f"{use.how.value}:{use.name}", use.place)
    return found
