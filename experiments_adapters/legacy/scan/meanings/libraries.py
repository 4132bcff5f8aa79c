"""Functions of libraries that quantise, convert, train or run a network, by their full names.

Edge runtimes have two halves: a compiler that makes the file (RKNN, Hailo's ClientRunner), and a
runtime that runs it on the device (RKNNLite, VDevice). The one quantises, the other infers.
"""

from __future__ import annotations

from ..results import Kind

Row = tuple[str, float, str]

QUANTISERS: tuple[Row, ...] = (
    (r"(?:.*\.)?nncf\.(?:.*\.)?(?:quantize\w*|compress_weights|create_compressed_model)$", 1.0,
     "NNCF"),
    (r"onnxruntime\.quantization\.(?!.*(?:CalibrationDataReader|QuantType|QuantFormat))", 1.0,
     "ONNX Runtime's quantisation"),
    (r"torch\.(?:ao\.)?quantization\.", 1.0, "PyTorch's quantisation"),
    (r"(?:pytorch_quantization|modelopt|neural_compressor|tensorflow_model_optimization"
     r"|aimet_(?:torch|onnx|tensorflow)|paddleslim\.quant|pytorch_nndct|torchao)\.", 1.0,
     "a quantisation library"),
    (r"openvino\.tools\.pot\.", 1.0, "OpenVINO's POT"),
    (r"tensorrt\.(?:Builder|OnnxParser)$", 1.0, "TensorRT's builder"),
    (r"(?:.*\.)?(?:build_serialized_network|build_cuda_engine|engine_from_network)$", 1.0,
     "TensorRT's builder"),
    (r"(?:.*\.)?torch2trt$|torch_tensorrt\.compile$", 0.95, "a TensorRT converter"),
    (r"openvino\.(?:.*\.)?(?:convert_model|save_model|serialize)$", 0.85, "OpenVINO's converter"),
    (r"torch\.onnx\.(?:dynamo_)?export$", 0.8, "torch.onnx.export"),
    (r"(?:onnxsim|onnxslim|onnx_simplifier)\.\w+$", 0.75, "an ONNX simplifier"),
    (r"(?:onnxconverter_common|onnxmltools)\.(?:.*\.)?convert\w*$", 0.9, "an ONNX converter"),
    (r"(?:tf2onnx|onnx2tf|onnx_tf|x2paddle|paddle2onnx|pnnx|executorch\.exir|ai_edge_torch"
     r"|litert_torch)\.(?:.*\.)?(?:convert\w*|export\w*|prepare|from_\w+|to_edge\w*|program2onnx)$",
     0.9, "a model converter"),
    (r"coremltools\.(?:.*\.)?(?:convert|quantize_weights|linear_quantize_weights|palettize_weights)$"
     r"|tensorflow\.(?:compat\.v1\.)?lite\.TFLiteConverter\.", 0.95, "a model converter"),
    (r"rknn\.api\.(?:.*\.)?RKNN\(\)\.(?:export_rknn|hybrid_quantization\w*)$", 0.95,
     "RKNN's converter"),
    (r"(?:hailo_sdk_client|hailo_model_zoo)\.(?:.*\.)?"
     r"(?:translate_\w+|optimize\w*|compile\w*|parse_model|load_model_script)$", 0.95,
     "Hailo's compiler"),
    (r"tvm\.(?:relay|driver\.tvmc|relax|ir|tir)?\.?(?:.*\.)?(?:build|compile|quantize|compile_model"
     r"|tune)$", 0.9, "TVM's compiler"),
    (r"(?:dx_com|dxcom)\.\w*compile\w*$", 0.95, "DeepX's compiler"),
    (r"axelera\.compiler\.(?:.*\.)?(?:quantize|compile)\w*$", 0.95, "Axelera's compiler"),
    (r"qai_hub\.submit_(?:compile|quantize|compile_and_profile)\w*$", 0.95, "Qualcomm's AI Hub"),
    (r"qai_hub_models\.(?:.*\.)?export_model$", 0.9, "Qualcomm's AI Hub"),
    (r"(?:qubee|qbcompiler|mblt_compiler)\.(?:.*\.)?\w*compile\w*$", 0.95, "Mobilint's compiler"),
    (r"furiosa\.(?:quantizer|optimizer|compiler|tools\.compiler)\.(?:.*\.)?"
     r"(?:quantize|optimize_model|compile|post_training_quantize)$", 0.95, "FuriosaAI's compiler"),
    (r"rebel\.compile_\w+$", 0.9, "Rebellions' compiler"),
    (r"blobconverter\.from_\w+$", 0.7, "a model converter"),
    (r"MNN\.tools\.(?:mnn_?convert|mnn_?quant)\w*\.|mnnconvert\.", 0.9, "MNN's converter"),
    (r"ultralytics\.engine\.exporter\.Exporter\(\)$", 0.85, "Ultralytics' exporter"),
    (r"super_gradients\.(?:.*\.)?Trainer\.quantize_from_config$", 0.95, "SuperGradients' trainer"),
    (r"mmdeploy\.(?:.*\.)?(?:torch2\w+|onnx2\w+|export\w*|from_onnx)$", 0.85, "MMDeploy"),
    (r"torch\.jit\.(?:trace|script)$", 0.5, "torch.jit"),
)  # fmt: skip
RUNNERS: tuple[Row, ...] = (
    (r"onnxruntime\.InferenceSession$", 0.7, "an ONNX Runtime session"),
    (r"onnxruntime\.InferenceSession\(\)\.run\w*$", 0.85, "an ONNX Runtime session"),
    (r"openvino\.(?:.*\.)?Core\(\)\.compile_model$|openvino\.(?:.*\.)?compile_model$", 0.75,
     "a compiled OpenVINO model"),
    (r"openvino\.(?:.*\.)?(?:AsyncInferQueue|load_network|IENetwork)$", 0.75,
     "a compiled OpenVINO model"),
    (r"openvino\.tools\.benchmark\.|model_api\.models\.|openvino_model_api\.", 0.75,
     "OpenVINO's applications"),
    (r"(?:.*\.)?(?:infer_new_request|start_async|create_infer_request)$", 0.75,
     "a compiled OpenVINO model"),
    (r"(?:.*\.)?(?:deserialize_cuda_engine|execute_async_v[23]|execute_v2)$", 0.85,
     "a TensorRT engine"),
    (r"cv2\.dnn\.(?:readNet\w*|DetectionModel\w*)$", 0.75, "OpenCV's network reader"),
    (r"(?:.*\.)?non_max_suppression$", 0.6, "non-maximum suppression"),
    (r"(?:.*\.)?get_sliced_prediction$|sahi\.(?:.*\.)?predict\w*$", 0.8, "SAHI's prediction"),
    (r"ultralytics\.utils\.benchmarks\.\w+$", 0.75, "Ultralytics' benchmark"),
    (r"ultralytics\.(?:.*\.)?\w*(?:Predictor|Validator)\(\)(?:\.predict_cli)?$", 0.8,
     "Ultralytics' predictor"),
    (r"(?:.*\.)?(?:tflite_runtime|ai_edge_litert|tensorflow\.(?:compat\.v1\.)?(?:_api\.\w+\.)?lite"
     r"|tflite|litert)\.(?:.*\.)?(?:Interpreter|InterpreterWithCustomOps|CompiledModel\.from_\w+)$",
     0.85, "a TFLite interpreter"),
    (r"(?:.*\.)?(?:allocate_tensors|get_output_details)$", 0.7, "a TFLite interpreter"),
    (r"(?:pycoral|edgetpu)\.(?:.*\.)?(?:make_interpreter|run_inference|get_objects|DetectionEngine"
     r"|BasicEngine|detect_with_\w+)$", 0.85, "a Coral Edge TPU"),
    (r"rknnlite\.api\.(?:.*\.)?RKNNLite(?:\(\)\.\w+)?$", 0.85, "an RKNN model on its device"),
    (r"rknn\.api\.(?:.*\.)?RKNN\(\)\.(?:inference|init_runtime|eval_perf)$", 0.8, "an RKNN model"),
    (r"(?:hailo_platform|picamera2\.devices)\.(?:.*\.)?(?:HEF|VDevice|InferVStreams|Hailo"
     r"|create_infer_model|InferModel)(?:\(\)\.\w+)?$", 0.8, "a Hailo device"),
    (r"hailo_sdk_client\.(?:.*\.)?ClientRunner\(\)\.infer$", 0.75, "Hailo's emulator"),
    (r"hailo(?:_apps\w*)?\.(?:.*\.)?(?:get_roi_from_buffer|GStreamerDetectionApp|HailoInfer)$",
     0.8, "a Hailo device"),
    (r"ncnn\.(?:.*\.)?(?:Net|get_model)(?:\(\)\.create_extractor)?$|(?:.*\.)?create_extractor$",
     0.8, "an ncnn network"),
    (r"MNN\.(?:.*\.)?(?:Interpreter|load_module_from_file|load_module|create_session)$"
     r"|(?:.*\.)?runSession$", 0.8, "an MNN model"),
    (r"coremltools\.(?:.*\.)?(?:MLModel|CompiledMLModel)\(\)\.predict$", 0.85, "a Core ML model"),
    (r"coremltools\.(?:.*\.)?(?:MLModel|CompiledMLModel)$", 0.5, "a Core ML model"),
    (r"tvm\.(?:.*\.)?(?:GraphModule|load_module|VirtualMachine|create|load_static_library)$", 0.7,
     "a TVM module"),
    (r"dx_engine\.(?:.*\.)?InferenceEngine(?:\(\)\.\w+)?$", 0.85, "a DeepX engine"),
    (r"axelera\.(?:app|runtime)\.(?:.*\.)?(?:create_inference_stream|load_model|Context|instance)$",
     0.85, "an Axelera device"),
    (r"qai_hub\.submit_(?:inference|profile)\w*$", 0.75, "Qualcomm's AI Hub"),
    (r"qai_hub_models\.(?:.*\.)?(?:demo|main|\w*_demo|evaluate\w*|load_demo_model\w*)$", 0.75,
     "Qualcomm's models"),
    (r"qai_appbuilder\.\w+$|(?:snpe|qnn)\w*\.(?:.*\.)?(?:execute|inference)$", 0.8,
     "a Qualcomm device"),
    (r"(?:maccel|qbruntime)\.(?:.*\.)?(?:Model|Accelerator)(?:\(\)\.\w+)?$", 0.8,
     "a Mobilint device"),
    (r"furiosa\.(?:runtime|server)\.(?:.*\.)?(?:create\w*|session|Runtime)$", 0.8,
     "a FuriosaAI device"),
    (r"rebel\.(?:.*\.)?(?:Runtime|AsyncRuntime)$", 0.8, "a Rebellions device"),
    (r"(?:sophon\.sail|sail)\.Engine(?:\(\)\.\w+)?$|hobot_dnn\.(?:.*\.)?load$"
     r"|acl\.mdl\.execute\w*$|ais_bench\.infer\.(?:.*\.)?InferSession$|kp\.inference\.\w+$"
     r"|(?:vart|xir)\.(?:.*\.)?(?:create_runner|deserialize)$", 0.8, "an NPU's runtime"),
    (r"(?:jetson\.inference|jetson_inference)\.(?:detectNet|poseNet|segNet|imageNet)$", 0.85,
     "jetson-inference"),
    (r"degirum\.(?:connect|load_model)$|degirum_tools\.\w+$", 0.75, "DeGirum's runtime"),
    (r"depthai\.(?:.*\.)?(?:\w*DetectionNetwork|NeuralNetwork)$", 0.75, "an OAK camera"),
    (r"mediapipe\.(?:.*\.)?ObjectDetector\.create_from_\w+$", 0.85, "MediaPipe's detector"),
    (r"mmdet\.apis\.(?:.*\.)?(?:inference_detector|init_detector|DetInferencer)$"
     r"|(?:.*\.)?(?:inference_detector|DetInferencer\(\))$", 0.8, "MMDetection's inference"),
    (r"detectron2\.(?:.*\.)?(?:DefaultPredictor\(\)|inference_on_dataset)$", 0.8,
     "Detectron2's predictor"),
    (r"(?:paddle\.inference|paddle_infer|paddlelite\.lite)\.(?:.*\.)?create_\w*predictor$"
     r"|fastdeploy\.(?:.*\.)?(?:YOLO\w*|PPYOLOE?\w*)$", 0.85, "Paddle's inference"),
    (r"tritonclient\.(?:.*\.)?InferenceServerClient\(\)\.\w*infer$", 0.8, "a Triton server"),
    (r"(?:inference|inference_sdk)\.(?:.*\.)?(?:InferencePipeline\.init\w*|get_model"
     r"|InferenceHTTPClient)$", 0.75, "Roboflow's inference"),
    (r"deepsparse\.(?:Pipeline\.create|compile_model|Engine)$", 0.8, "DeepSparse"),
    (r"executorch\.(?:runtime|extension)\.(?:.*\.)?(?:Runtime\.get|load_program|_load_for_\w+)$",
     0.8, "ExecuTorch's runtime"),
    (r"transformers\.(?:pipeline|AutoModelForObjectDetection\.from_pretrained)$", 0.5,
     "a pretrained model"),
    (r"super_gradients\.(?:.*\.)?Trainer\.evaluate_\w+$", 0.8, "SuperGradients' trainer"),
    (r"tensorflow\.saved_model\.load$", 0.5, "a saved model"),
)  # fmt: skip
TRAINERS: tuple[Row, ...] = (
    (r"(?:mmdet\.apis\.|.*\.)?train_detector$", 0.9, "MMDetection's training"),
    (r"(?:mediapipe_model_maker|tflite_model_maker)\.(?:.*\.)?create$", 0.9, "a model maker"),
    (r"(?:object_detection\.)?(?:.*\.)?model_lib_v2\.train_loop$", 0.95, "a training loop"),
    (r"darknet\.train_\w+$", 0.9, "Darknet's training"),
    (r"super_gradients\.(?:.*\.)?Trainer\.(?:train_from_config|resume_experiment)$", 0.95,
     "SuperGradients' trainer"),
)  # fmt: skip
KINDS: dict[Kind, tuple[Row, ...]] = {"quant": QUANTISERS, "infer": RUNNERS, "train": TRAINERS}

RUNTIMES = frozenset(
    (
        *("tflite_runtime", "ai_edge_litert", "pycoral", "edgetpu", "rknnlite", "hailo_platform"),
        *("hailo", "hailo_apps", "ncnn", "MNN", "dx_engine", "dx_postprocess", "qai_appbuilder"),
        *("maccel", "qbruntime", "hobot_dnn", "jetson_inference", "pyds", "degirum", "vart"),
        *("deepsparse", "fastdeploy", "tritonclient", "inference_sdk"),
    )
)
"""Packages that do nothing but run a network: who imports one infers."""
LIBRARIES = RUNTIMES | frozenset(
    (
        *("ultralytics", "torch", "tensorflow", "keras", "onnxruntime", "openvino", "tensorrt"),
        *("nncf", "yolov5", "yolox", "mmdet", "mmengine", "detectron2", "paddle", "lightning"),
        *("pytorch_lightning", "darknet", "rknn", "hailo_sdk_client", "coremltools", "tvm"),
        *("axelera", "qai_hub", "qai_hub_models", "furiosa", "rebel", "qubee", "qbcompiler"),
        *("depthai", "mediapipe", "executorch", "sophon", "acl", "jetson", "dx_com", "pnnx"),
        *("onnx2tf", "aimet_torch", "aimet_onnx", "super_gradients", "rfdetr", "modelopt"),
        *("degirum_tools", "model_api", "mmdeploy", "paddleslim", "netspresso", "inference"),
    )
)
OF_LABELS = frozenset(
    (
        *("fiftyone", "supervision", "roboflow", "pylabel", "datumaro", "globox", "labelme"),
        *("xml", "pycocotools", "cvat_sdk", "lxml", "xmltodict", "label_studio_sdk"),
    )
)
"""Packages that read and write labels: what a script with one of them converts is no network."""
