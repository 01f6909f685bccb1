from bridge.conventions.comparison import compare as compare
from bridge.conventions.comparison import compare_models as compare_models
from bridge.conversion.channels_first import from_channels_first as from_channels_first
from bridge.conversion.estimators import KerasClassifier as KerasClassifier
from bridge.conversion.estimators import NumpyClassifier as NumpyClassifier
from bridge.conversion.keras_models_and_files import Certificate as Certificate
from bridge.conversion.keras_models_and_files import convert as convert
from bridge.judge.keras_noise import NoiseFloor as NoiseFloor
from bridge.judge.keras_noise import noise_floor as noise_floor
from bridge.judge.report import ParityReport as ParityReport
from bridge.judge.sensitivity import sensitivities as sensitivities
from bridge.lockstep.training import TrainingParityReport as TrainingParityReport
from bridge.lockstep.training import compare_training as compare_training
from bridge.outside.external_model import model_from_layers as model_from_layers
from bridge.outside.functions import from_autograd as from_autograd
from bridge.outside.functions import from_functions as from_functions
from bridge.outside.functions import from_jax as from_jax
from bridge.outside.layer_check import check_layer as check_layer
from bridge.outside.layer_report import LayerReport as LayerReport
from bridge.outside.loss_check import LossReport as LossReport
from bridge.outside.loss_check import check_loss as check_loss
from bridge.outside.optimizer_check import OptimizerReport as OptimizerReport
from bridge.outside.optimizer_check import check_optimizer as check_optimizer
from bridge.selftest.faults import plant as plant
from bridge.weights import copy_weights as copy_weights
from bridge.weights import random_weights as random_weights

__all__: list[str]
